"""The paper's methods, as the protocol compares them: each ranks the catalogue for users by what they folded in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.offline.protocol import Histories, Lists, Method
from recommender.engine.paper import unseen
from recommender.engine.paper.clusters import Clusters, InvertedFile, best_of_nearest_cluster, weighted_scores_within
from recommender.engine.popularity import bayesian_average, paper_weighted_score
from recommender.engine.retrieval import Floats, Metric, top_k


@dataclass(frozen=True)
class Catalogue:
    """What is known of the items before any user comes.

    Attributes:
        anime_ids: public ids `[n_items]`.
        rating: mean community rating `[n_items]`, NaN where unknown.
        members: community members `[n_items]`.
        counts: ratings by the training users `[n_items]`.
        n_training_users: how many they are.
    """

    anime_ids: NDArray[np.int64]
    rating: NDArray[np.float64]
    members: NDArray[np.float64]
    counts: NDArray[np.float64]
    n_training_users: int


def cold_start_methods(catalogue: Catalogue) -> list[Method]:
    """One list for all, without what each has rated."""
    return [
        by_score(
            "popularity",
            "Popularity",
            "The anime that most training users rated.",
            catalogue.counts,
        ),
        by_score(
            "paper_weighted_score",
            "Weighted score, as published",
            "IMDb's formula with member counts scaled to 0-10 against a quantile of the unscaled counts.",
            paper_weighted_score(catalogue.rating, catalogue.members),
        ),
        by_score(
            "bayesian_average",
            "Weighted score, corrected",
            "Bayesian average: the community rating, drawn towards a low one the more, the fewer members an anime has.",
            bayesian_average(catalogue.rating, catalogue.members),
        ),
    ]


def weighted_average_methods(item_embeddings: Floats) -> list[Method]:
    """The paper's user average, with both ways to rank by it."""
    return [
        weighted_average(
            item_embeddings,
            "euclidean",
            "weighted_average",
            "Weighted average, Euclidean",
            "The anime nearest to the mean of the rated anime's embeddings, weighted by the ratings; the paper's.",
        ),
        weighted_average(
            item_embeddings,
            "dot",
            "weighted_average_dot",
            "Weighted average, dot product",
            "The same mean, ranked by dot product.",
        ),
    ]


def cluster_methods(
    key: str, title: str, clusters: Clusters, item_embeddings: Floats, catalogue: Catalogue
) -> list[Method]:
    """The nearest cluster's best, once by the weighted score within it, as the paper does, and once by popularity."""
    within = weighted_scores_within(clusters.labels, catalogue.rating, catalogue.members)
    of = f"{title}, {clusters.n_clusters} clusters"
    return [
        best_of_cluster(
            clusters,
            item_embeddings,
            within,
            key,
            f"{of}, weighted score",
            "The nearest cluster's best anime by weighted score as published, taken within the cluster; the paper's.",
        ),
        best_of_cluster(
            clusters,
            item_embeddings,
            catalogue.counts,
            f"{key}_popularity",
            f"{of}, popularity",
            "The anime of the nearest cluster that most training users rated.",
        ),
    ]


def by_score(key: str, title: str, definition: str, scores: Floats) -> Method:
    """The same order of the catalogue for everybody."""

    def rank(fold_in: Histories, k: int) -> Lists:
        everybody = np.broadcast_to(scores, (fold_in.n_users, len(scores)))
        return top_k(everybody, k, fold_in.rated)[0]

    return Method(key, title, definition, rank)


def weighted_average(item_embeddings: Floats, metric: Metric, key: str, title: str, definition: str) -> Method:
    def rank(fold_in: Histories, k: int) -> Lists:
        return unseen.recommend(item_embeddings, *fold_in, k, metric=metric)[0]

    return Method(key, title, definition, rank)


def best_of_cluster(
    clusters: Clusters, item_embeddings: Floats, scores: Floats, key: str, title: str, definition: str
) -> Method:
    def rank(fold_in: Histories, k: int) -> Lists:
        users = unseen.weighted_averages(item_embeddings, *fold_in)
        return best_of_nearest_cluster(clusters, users, scores, k, exclude=fold_in.rated)[0]

    return Method(key, title, definition, rank)


def probing(index: InvertedFile, item_embeddings: Floats, nprobe: int, *, metric: Metric) -> Method:
    """Search of the `nprobe` nearest clusters by the model's own score."""

    def rank(fold_in: Histories, k: int) -> Lists:
        users = unseen.weighted_averages(item_embeddings, *fold_in)
        return index.search(users, k, nprobe=nprobe, metric=metric, exclude=fold_in.rated)[0]

    return Method(
        f"nprobe_{nprobe}",
        f"{nprobe} of {index.clusters.n_clusters} clusters",
        f"The {nprobe} nearest clusters searched, ranked by {metric} score.",
        rank,
    )


def predicted_rating(user_embeddings: Floats, item_embeddings: Floats) -> Method:
    """For seen users only, in the order of the rows of `user_embeddings`; histories but say what to leave out."""

    def rank(fold_in: Histories, k: int) -> Lists:
        return top_k(unseen.predicted_ratings(user_embeddings, item_embeddings), k, fold_in.rated)[0]

    return Method(
        "two_tower",
        "Predicted rating",
        "The anime with the highest predicted rating, relu(u . v) clipped to 1-10; the paper's for seen users.",
        rank,
    )


def top_of(scores: NDArray[Any], k: int) -> Lists:
    """The k best items by one score for all `[k]`."""
    items: Lists = top_k(scores[None], k)[0][0]
    return items
