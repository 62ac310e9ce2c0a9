"""Exact top-k retrieval: score every item of the catalogue, keep the best, in numpy alone.

Terms: `scores` are higher-is-better; an excluded item is one that a user must not be shown (rated,
dismissed).
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["dot", "euclidean"]
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
#: Rows of item indices: row u is `indices[indptr[u]:indptr[u + 1]]`.
Csr = tuple[Ints, Ints]

#: Marks the places of a list for which there was no item left.
NO_ITEM = -1
#: Scores held at once by `search`, so that its memory does not grow with the number of users (64 MB of
#: float64).
BLOCK_SCORES = 8_000_000


def top_k(scores: Floats, k: int, exclude: Csr | Mask | None = None) -> tuple[NDArray[np.int64], Floats]:
    """The k best items of each user, best first; of equal scores the lower item index comes first.

    Args:
        scores: `[n_users, n_items]`, higher is better. NaN and -inf mean "not to be recommended".
        k: length of each list, at least 1.
        exclude: items to leave out: CSR `(indptr [n_users + 1], indices)`, or a mask `[n_users, n_items]` or
            `[n_items]`.

    Returns:
        `(items, scores)`, both `[n_users, k]`. Where fewer than k items are left, the list ends with items -1
        and scores -inf.

    Raises:
        ValueError: `k < 1`, or shapes that do not fit.
    """
    if scores.ndim != 2:
        raise ValueError(f"scores must be [n_users, n_items], got shape {scores.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    n_users, n_items = scores.shape
    usable = _without(scores, exclude)
    kept = min(k, n_items)
    if kept < n_items:
        items = np.argpartition(usable, n_items - kept, axis=1)[:, n_items - kept :]
        _settle_ties(usable, items)
    else:
        items = np.broadcast_to(np.arange(n_items), usable.shape)
    items = np.sort(items, axis=1)
    kept_scores = np.take_along_axis(usable, items, axis=1)
    order = np.argsort(-kept_scores, axis=1, kind="stable")

    top_items = np.full((n_users, k), NO_ITEM, dtype=np.int64)
    top_scores = np.full((n_users, k), -np.inf, dtype=usable.dtype)
    top_items[:, :kept] = np.take_along_axis(items, order, axis=1)
    top_scores[:, :kept] = np.take_along_axis(kept_scores, order, axis=1)
    top_items[top_scores == -np.inf] = NO_ITEM
    return top_items, top_scores


def search(
    users: Floats,
    item_embeddings: Floats,
    k: int,
    *,
    metric: Metric = "dot",
    exclude: Csr | Mask | None = None,
    block_scores: int = BLOCK_SCORES,
) -> tuple[NDArray[np.int64], Floats]:
    """The k best items of the whole catalogue for each user embedding, by matrix product.

    Args:
        users: `[n_users, n_factors]`.
        item_embeddings: `[n_items, n_factors]`.
        metric: "dot" ranks by dot product; "euclidean" by nearness, the score being minus the distance.
        block_scores: scores held in memory at once; users are taken in blocks of that size.

    Returns and raises as `top_k`, whose `k` and `exclude` these are.
    """
    n_users, n_items = len(users), len(item_embeddings)
    step = max(1, block_scores // max(n_items, 1))
    blocks = [
        top_k(
            score(users[start : start + step], item_embeddings, metric),
            k,
            rows_of(exclude, start, start + step),
        )
        for start in range(0, max(n_users, 1), step)
    ]
    return np.concatenate([items for items, _ in blocks]), np.concatenate([scores for _, scores in blocks])


def score(users: Floats, item_embeddings: Floats, metric: Metric = "dot") -> Floats:
    """Scores `[n_users, n_items]`: dot products, or minus the Euclidean distances."""
    products: Floats = users @ item_embeddings.T
    if metric == "dot":
        return products
    if metric != "euclidean":
        raise ValueError(f"metric must be 'dot' or 'euclidean', got {metric!r}")
    squared = np.vecdot(users, users)[:, None] - 2 * products + np.vecdot(item_embeddings, item_embeddings)
    distances: Floats = np.sqrt(np.maximum(squared, 0))
    return -distances


def rows_of(exclude: Csr | Mask | None, start: int, stop: int) -> Csr | Mask | None:
    """The exclusions of users start to stop, in the form they came in."""
    if exclude is None:
        return None
    if isinstance(exclude, tuple):
        indptr, indices = exclude
        block = indptr[start : stop + 1]
        return block - block[0], indices[block[0] : block[-1]]
    return exclude if exclude.ndim == 1 else exclude[start:stop]


def _without(scores: Floats, exclude: Csr | Mask | None) -> Floats:
    """A copy in which all that must not be recommended is -inf."""
    usable = np.where(np.isnan(scores), -np.inf, scores)
    if isinstance(exclude, tuple):
        indptr, indices = exclude
        if len(indptr) != len(scores) + 1:
            raise ValueError(f"indptr of exclude has {len(indptr)} entries for {len(scores)} users, expected one more")
        usable[np.repeat(np.arange(len(scores)), np.diff(indptr)), indices] = -np.inf
    elif exclude is not None:
        usable[np.broadcast_to(exclude, scores.shape)] = -np.inf
    return usable


def _settle_ties(usable: Floats, items: NDArray[np.int64]) -> None:
    """Let the lower indices in where items tie for the last places; argpartition takes any of them."""
    kept = items.shape[1]
    threshold = np.take_along_axis(usable, items, axis=1).min(axis=1, keepdims=True)
    for user in np.flatnonzero((usable >= threshold).sum(axis=1) > kept):
        if threshold[user, 0] == -np.inf:
            continue  # what ties there is not shown
        candidates = np.flatnonzero(usable[user] >= threshold[user])
        items[user] = candidates[np.argsort(-usable[user, candidates], kind="stable")[:kept]]
