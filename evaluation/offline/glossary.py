"""What every number says that an evaluation or a report shows: one definition a metric, for tables and tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A metric's name for tables, its definition in a sentence, and the digits after the point that mean something."""

    name: str
    definition: str
    digits: int = 3


def _at(k: int) -> dict[str, Entry]:
    return {
        f"precision@{k}": Entry(f"Precision@{k}", f"Share of the first {k} places that hold a relevant anime."),
        f"recall@{k}": Entry(f"Recall@{k}", f"Share of the relevant anime that are among the first {k}."),
        f"map@{k}": Entry(
            f"MAP@{k}",
            f"Sum of the precisions at the hits among the first {k}, divided by min({k}, relevant).",
        ),
        f"ndcg@{k}": Entry(
            f"NDCG@{k}",
            f"Sum of 1 / log2(rank + 1) over the hits among the first {k}, divided by that of min({k}, relevant) hits "
            "at the top.",
        ),
        f"mrr@{k}": Entry(f"MRR@{k}", f"1 / rank of the first hit among the first {k}, 0 without one."),
        f"hit_rate@{k}": Entry(f"Hit rate@{k}", f"Share of users with at least one hit among the first {k}."),
    }


ACCURACY = _at(10) | _at(100)
BEYOND = {
    "coverage": Entry("Coverage", "Share of the catalogue that is in the first ten of at least one list."),
    "gini": Entry(
        "Gini",
        "Inequality of how often each anime is in the first ten: 0 when all alike, near 1 when few alone.",
    ),
    "novelty": Entry(
        "Novelty",
        "Mean self-information of the first ten in bits: -log2 of the share of training users who rated the anime.",
        1,
    ),
    "genre_diversity": Entry(
        "Genre diversity", "Mean over all pairs of the first ten of 1 - Jaccard similarity of their genres."
    ),
    "embedding_diversity": Entry(
        "Embedding diversity", "Mean over all pairs of the first ten of 1 - cosine of their embeddings."
    ),
    "popularity_bias": Entry(
        "Popularity bias",
        "Mean popularity of the first ten over that of the anime folded in: above 1 the list is the more popular.",
        2,
    ),
}
ENTRIES = ACCURACY | BEYOND
#: The accuracy metrics of tables, in their order.
TABLE_METRICS = ("precision@10", "recall@10", "map@10", "ndcg@10", "mrr@10", "hit_rate@10", "recall@100", "ndcg@100")
RELEVANT = "Relevant is what the user has rated in the half that was held out, whatever the rating."
INTERVAL = "Intervals are 95 % bootstrap intervals of the mean over users."
