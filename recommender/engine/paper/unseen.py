"""Users without a row in the model: placed among the items by what they rated.

The paper's user average (section "Unseen users"): the mean of the rated items' embeddings, weighted by the
ratings.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.engine.retrieval import Csr, Floats, Ints, Metric, search

MIN_RATING, MAX_RATING = 1.0, 10.0
#: Ratings gathered at once, so that millions of them need no copy of all their embeddings.
BLOCK_RATINGS = 1_000_000


def weighted_average(item_embeddings: Floats, items: Ints, ratings: NDArray[Any]) -> Floats:
    """One user's embedding `[n_factors]`: the rated items' embeddings, averaged with the ratings as weights.

    Args:
        item_embeddings: `[n_items, n_factors]`.
        items: indices of the rated items, at least one.
        ratings: the ratings, of the same length, all above 0.

    Raises:
        ValueError: no rating (such a user is a cold start), or a rating that is not above 0.
    """
    average: Floats = weighted_averages(item_embeddings, np.array([0, len(items)]), items, ratings)[0]
    return average


def weighted_averages(item_embeddings: Floats, indptr: Ints, items: Ints, ratings: NDArray[Any]) -> Floats:
    """`weighted_average` of many users `[n_users, n_factors]`, their histories as CSR rows.

    Args:
        indptr: `[n_users + 1]`; user u rated `items[indptr[u]:indptr[u + 1]]` with the `ratings` of the same
            places.
    """
    if len(items) != len(ratings) or indptr[-1] != len(items):
        raise ValueError(
            f"{len(items)} items, {len(ratings)} ratings and indptr up to {indptr[-1]} do not fit together"
        )
    empty = np.flatnonzero(np.diff(indptr) == 0)
    if len(empty):
        raise ValueError(f"user {empty[0]} has no rating to average; serve a cold-start list instead")
    weights = np.asarray(ratings, dtype=item_embeddings.dtype)
    if len(weights) and not weights.min() > 0:
        raise ValueError("every rating must be above 0; leave out those that mean 'watched, not rated'")

    averages = np.empty((len(indptr) - 1, item_embeddings.shape[1]), dtype=item_embeddings.dtype)
    start = 0
    while start < len(averages):
        stop = max(start + 1, int(np.searchsorted(indptr, indptr[start] + BLOCK_RATINGS, side="right")) - 1)
        block = slice(indptr[start], indptr[stop])
        offsets = indptr[start:stop] - indptr[start]
        weighted = item_embeddings[items[block]] * weights[block, None]
        averages[start:stop] = np.add.reduceat(weighted, offsets) / np.add.reduceat(weights[block], offsets)[:, None]
        start = stop
    return averages


def recommend(
    item_embeddings: Floats,
    indptr: Ints,
    items: Ints,
    ratings: NDArray[Any],
    k: int,
    *,
    metric: Metric = "euclidean",
    exclude: Csr | NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], Floats]:
    """The k unrated items that suit each user's weighted average best.

    Args:
        metric: "euclidean" is the paper's (nearest items); "dot" prefers items that are rated highly by all,
            too.
        exclude: what to leave out, as in `retrieval.top_k`; what the user rated when None.

    Returns:
        `(items, scores)`, both `[n_users, k]`, as `retrieval.top_k`.
    """
    users = weighted_averages(item_embeddings, indptr, items, ratings)
    return search(users, item_embeddings, k, metric=metric, exclude=(indptr, items) if exclude is None else exclude)


def predicted_ratings(users: Floats, item_embeddings: Floats, *, rounded: bool = False) -> Floats:
    """Ratings `[n_users, n_items]` that the paper's model predicts: relu(u . v), clipped to 1-10.

    Args:
        users: rows of the user table, `[n_users, n_factors]`; or one row `[n_factors]`, giving `[n_items]`.
        rounded: to whole ratings as the paper does, a half going down (7.5 becomes 7).
    """
    # Clipping at 1 contains the ReLU.
    predicted: Floats = np.clip(users @ item_embeddings.T, MIN_RATING, MAX_RATING)
    return np.ceil(predicted - 0.5) if rounded else predicted
