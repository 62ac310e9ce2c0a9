"""Offline metrics of ranked lists, vectorised over users, in numpy alone.

Definitions are those of trec_eval where it has the metric, with one difference that is named where it occurs
(`average_precision`). Gain is binary: an item is relevant or it is not.

Shapes: `lists [n_users, length]` holds item indices, best first, no item twice, padded with -1; the relevant
items are CSR rows `(indptr [n_users + 1], indices)`; `hits [n_users, length]` says which places of a list are
relevant. Every metric returns one value per user `[n_users]`; its mean is what tables show. A user of whom
nothing is relevant gets 0, as in trec_eval. `k` may exceed the length of the lists: what is missing is a
miss.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Hits = NDArray[np.bool_]
PerUser = NDArray[np.float64]
Csr = tuple[Ints, Ints]

#: Points below a person's mean from which on a rating counts as a dislike in `liking`.
DISLIKED_BELOW = 1.0
#: Entries of the user x item table that `hits` marks at once (4 MB: what a processor's cache holds is faster).
BLOCK_CELLS = 4_000_000


def evaluate(lists: Ints, relevant: Csr, ks: Iterable[int] = (10, 100)) -> dict[str, PerUser]:
    """Every accuracy metric at every k, per user: `{"precision@10": [n_users], ...}`.

    Names: precision, recall, map, ndcg, mrr, hit_rate; each followed by `@k`.

    Raises:
        ValueError: k below 1, or `relevant` of another number of users than `lists`.
    """
    found = hits(lists, relevant)
    n_relevant = np.diff(relevant[0])
    values = {}
    for k in ks:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        values[f"precision@{k}"] = precision(found, k)
        values[f"recall@{k}"] = recall(found, n_relevant, k)
        values[f"map@{k}"] = average_precision(found, n_relevant, k)
        values[f"ndcg@{k}"] = ndcg(found, n_relevant, k)
        values[f"mrr@{k}"] = reciprocal_rank(found, k)
        values[f"hit_rate@{k}"] = hit_rate(found, k)
    return values


def hits(lists: Ints, relevant: Csr) -> Hits:
    """Which places of each list hold a relevant item `[n_users, length]`."""
    indptr, indices = relevant
    n_users = len(lists)
    if len(indptr) != n_users + 1:
        raise ValueError(f"relevant has {len(indptr) - 1} users, lists have {n_users}")
    # Column 0 stands for the padding and is never marked.
    width = 2 + max(int(lists.max(initial=-1)), int(indices.max(initial=-1)))
    step = max(1, BLOCK_CELLS // width)
    marked = np.zeros(min(step, max(n_users, 1)) * width, dtype=np.bool_)
    found = np.empty(lists.shape, dtype=np.bool_)
    for start in range(0, n_users, step):
        stop = min(start + step, n_users)
        offsets = np.arange(stop - start) * width + 1
        block = slice(indptr[start], indptr[stop])
        cells = np.repeat(offsets, np.diff(indptr[start : stop + 1])) + indices[block]
        marked[cells] = True
        np.take(marked, lists[start:stop] + offsets[:, None], out=found[start:stop])
        marked[cells] = False
    return found


def precision(hits: Hits, k: int) -> PerUser:
    """Share of the first k places that are relevant; a shorter list is divided by k all the same."""
    share: PerUser = _hits_until(hits, k) / k
    return share


def recall(hits: Hits, n_relevant: Ints, k: int) -> PerUser:
    """Share of the relevant items that are in the first k places."""
    return ratio(_hits_until(hits, k), n_relevant)


def hit_rate(hits: Hits, k: int) -> PerUser:
    """1 where any of the first k places is relevant (trec_eval: success)."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def reciprocal_rank(hits: Hits, k: int) -> PerUser:
    """1 / rank of the first relevant item in the first k places, else 0; its mean is MRR@k."""
    top = hits[:, :k]
    if not top.shape[1]:
        return np.zeros(len(hits))
    first = top.argmax(axis=1)
    return ratio(top[np.arange(len(top)), first], first + 1)


def average_precision(hits: Hits, n_relevant: Ints, k: int, *, of_all_relevant: bool = False) -> PerUser:
    """Sum of the precisions at the hits in the first k places, over min(k, n_relevant); its mean is MAP@k.

    With `of_all_relevant` it is divided by n_relevant, which is trec_eval's map_cut_k: a perfect list of k
    then scores less than 1 when more than k items are relevant.
    """
    top = hits[:, :k]
    ranks = np.arange(1, top.shape[1] + 1)
    at_hits = np.cumsum(top, axis=1, dtype=np.int32)
    at_hits *= top
    return ratio(np.vecdot(at_hits, 1 / ranks), n_relevant if of_all_relevant else np.minimum(n_relevant, k))


def ndcg(hits: Hits, n_relevant: Ints, k: int) -> PerUser:
    """DCG of the first k places, 1 / log2(rank + 1) a hit, over that of min(k, n_relevant) hits at the top."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    top = hits[:, :k]
    ideal = np.append(0, discounts.cumsum())[np.minimum(n_relevant, k)]
    return ratio(np.vecdot(top, discounts[: top.shape[1]]), ideal)


def liking(
    lists: Ints, held_out: Csr, ratings: NDArray[Any], means: PerUser, ks: Iterable[int] = (10,)
) -> dict[str, PerUser]:
    """What lists hold of what people went on to like, and of what they went on to dislike, per user.

    `liking_ndcg@k` and `liking_recall@k` count only the held-out items that the user rated at or above their own mean;
    of a user with no such item they say nothing and are NaN, so that their mean is `np.nanmean`.
    `disliked@k` is the share of the k places that hold an item rated a point or more below it: lower is better.

    Args:
        held_out: CSR rows of the items that each user rated and no method saw.
        ratings: the ratings beside `held_out`'s indices.
        means: from `personal_means`, `[n_users]`.
    """
    below = np.repeat(means, np.diff(held_out[0])) - ratings
    liked = _only(held_out, below <= 0)
    liked_hits, n_liked = hits(lists, liked), np.diff(liked[0])
    disliked_hits = hits(lists, _only(held_out, below >= DISLIKED_BELOW))
    values = {}
    for k in ks:
        values[f"liking_ndcg@{k}"] = np.where(n_liked > 0, ndcg(liked_hits, n_liked, k), np.nan)
        values[f"liking_recall@{k}"] = np.where(n_liked > 0, recall(liked_hits, n_liked, k), np.nan)
        values[f"disliked@{k}"] = precision(disliked_hits, k)
    return values


def personal_means(indptr: Ints, ratings: NDArray[Any], global_mean: float) -> PerUser:
    """What each user's ratings are compared with in `liking`: the mean of all their ratings `[n_users]`.

    Whoever gives one score to everything says nothing by it that their own mean could tell, so that the mean of
    everybody, `global_mean`, takes its place. The same holds for a user without ratings.

    Args:
        indptr: `[n_users + 1]` into `ratings`, which holds all ratings of a user, those folded in and those held out.
    """
    lengths = np.diff(indptr)
    users = np.repeat(np.arange(len(lengths)), lengths)
    sums = np.bincount(users, weights=ratings, minlength=len(lengths))
    squares = np.bincount(users, weights=np.asarray(ratings, dtype=np.float64) ** 2, minlength=len(lengths))
    gives_one_score = squares * lengths <= sums**2  # equal exactly where all are equal: ratings are whole numbers
    return np.where(gives_one_score, global_mean, ratio(sums, lengths))


def _only(rows: Csr, kept: NDArray[np.bool_]) -> Csr:
    """The entries of CSR rows for which `kept` is true."""
    indptr, indices = rows
    return np.append(0, kept.cumsum())[indptr], indices[kept]


def catalogue_coverage(lists: Ints, n_items: int, k: int) -> float:
    """Share of the catalogue that is in the first k places of at least one list."""
    return float((_exposure(lists, n_items, k) > 0).mean())


def gini(lists: Ints, n_items: int, k: int) -> float:
    """Inequality of how often each item is in the first k places: 0 when all alike, near 1 when few alone."""
    exposure = np.sort(_exposure(lists, n_items, k))
    if not exposure.any():
        return 0.0
    ranks = np.arange(1, n_items + 1)
    return float(((2 * ranks - n_items - 1) @ exposure) / (n_items * exposure.sum()))


def novelty(lists: Ints, counts: NDArray[Any], n_training_users: int, k: int) -> PerUser:
    """Mean self-information of the first k items in bits: -log2 of the share of training users who rated it.

    Args:
        counts: training ratings of each item `[n_items]`; an item without any counts as rated once.
    """
    information = -np.log2(np.maximum(counts, 1) / n_training_users)
    return _mean_over_list(lists, information, k)


def popularity_bias(lists: Ints, counts: NDArray[Any], held: Csr, k: int) -> PerUser:
    """Mean popularity of the first k items over that of the user's own: above 1 the list is the more popular.

    Args:
        counts: training ratings of each item `[n_items]`.
        held: items that each user is known to have rated, such as those folded in.
    """
    indptr, indices = held
    row = np.repeat(np.arange(len(lists)), np.diff(indptr))
    sums = np.bincount(row, weights=counts[indices], minlength=len(lists))
    own = ratio(sums, np.diff(indptr))
    return ratio(_mean_over_list(lists, counts, k), own)


def genre_diversity(lists: Ints, genres: NDArray[np.bool_], k: int) -> PerUser:
    """Mean over all pairs of the first k items of 1 - Jaccard similarity of their genres; 0 for less than a
    pair.

    Args:
        genres: `[n_items, n_genres]`; two items without any genre count as alike.
    """
    top = lists[:, :k]
    sizes = genres.sum(axis=1)
    values = np.zeros(len(lists))
    step = max(1, BLOCK_CELLS // max(1, top.shape[1] * max(top.shape[1], genres.shape[1])))
    for start in range(0, len(top), step):
        items = top[start : start + step]
        shown = items >= 0
        of_items = (genres[items] & shown[:, :, None]).astype(np.float32)
        both = of_items @ of_items.transpose(0, 2, 1)
        either = sizes[items][:, :, None] + sizes[items][:, None, :] - both
        different = 1 - np.divide(both, either, out=np.ones_like(both), where=either > 0)
        different *= shown[:, :, None] & shown[:, None, :]
        n = shown.sum(axis=1)
        values[start : start + step] = ratio(different.sum(axis=(1, 2), dtype=np.float64), n * (n - 1))
    return values


def embedding_diversity(lists: Ints, embeddings: NDArray[np.floating[Any]], k: int) -> PerUser:
    """Mean over all pairs of the first k items of 1 - cosine of their embeddings; 0 for less than a pair.

    Args:
        embeddings: `[n_items, n_factors]`; one of length 0 has cosine 0 with all others.
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = np.divide(embeddings, lengths, out=np.zeros(embeddings.shape), where=lengths > 0)
    unit = np.vstack([unit, np.zeros(unit.shape[1])])  # the row that padding, -1, picks
    top = lists[:, :k]
    n = (top >= 0).sum(axis=1)
    # The square of a sum of unit vectors is the sum of all their cosines, their own included.
    sums = np.zeros((len(top), unit.shape[1]))
    own = np.zeros(len(top))
    for place in top.T:
        sums += unit[place]
        own += (unit[place] ** 2).sum(axis=1)
    pairs = n * (n - 1)
    return ratio(pairs - ((sums**2).sum(axis=1) - own), pairs)


def _exposure(lists: Ints, n_items: int, k: int) -> NDArray[np.int64]:
    top = lists[:, :k]
    return np.bincount(top[top >= 0], minlength=n_items)


def _mean_over_list(lists: Ints, value: NDArray[Any], k: int) -> PerUser:
    """Mean of the items' `value [n_items]` over the first k places that hold an item."""
    top = lists[:, :k]
    shown = top >= 0
    sums: PerUser = np.where(shown, value[top], 0).sum(axis=1, dtype=np.float64)
    return ratio(sums, shown.sum(axis=1))


def _hits_until(hits: Hits, k: int) -> Ints:
    counts: Ints = hits[:, :k].sum(axis=1)
    return counts


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> PerUser:
    """numerator / denominator, 0 where there is nothing to divide by."""
    quotient: PerUser = np.zeros(len(numerator))
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
