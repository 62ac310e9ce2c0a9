"""The paper's own evaluation, as its published code computes it. Wrong on purpose: report it as a labelled
extra.

What differs from `evaluation.offline.metrics`, each thing a function here so that its effect can be shown on its own:

- NDCG is divided by the best order of the *retrieved* list, so that missing relevant items costs nothing.
- Average precision is divided by the hits *found*, so that one lucky hit at the top scores 1.
- The average goes over the first rows of the ratings table, so that a user counts once for each such rating.
- Predicted anime are compared by their public ids with held-out anime by their dense indices.
- The lists of the weighted average are put in the order of the anime ids before they are scored.

Shapes are those of `evaluation.offline.metrics`. Precision@k is as there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.offline.metrics import Csr, Hits, Ints, PerUser, hits, ratio


def average_precision(hits: Hits, k: int) -> PerUser:
    """As published: sum of the precisions at the hits in the first k places, divided by those hits."""
    top = hits[:, :k]
    found = np.cumsum(top, axis=1)
    sums: PerUser = (top * found / np.arange(1, top.shape[1] + 1)).sum(axis=1)
    return ratio(sums, top.sum(axis=1))


def ndcg(hits: Hits, k: int) -> PerUser:
    """As published: DCG of the first k places, divided by that of the same hits moved to the top."""
    top = hits[:, :k]
    discounts = 1 / np.log2(np.arange(2, top.shape[1] + 2))
    ideal = np.append(0, discounts.cumsum())[top.sum(axis=1)]
    return ratio(top @ discounts, ideal)


def mean_over_rows(values: PerUser, user_of_row: Ints, n_rows: int = 500) -> float:
    """As published: the mean of the users' values over the first rows of the table of their ratings.

    Args:
        values: one value per user `[n_users]`.
        user_of_row: the user of each rating, in the order of the table; the paper takes its first 500 rows
            for 500 users. (It also splits the user anew for each row, which changes the spread, not the
            expectation.)
    """
    return float(values[user_of_row[:n_rows]].mean())


def hits_across_id_spaces(lists: Ints, relevant: Csr, anime_ids: Ints) -> Hits:
    """As published: a place counts as a hit when its anime *id* equals the dense *index* of a relevant anime.

    Args:
        anime_ids: the public (MyAnimeList) id of each dense index `[n_items]`.
    """
    return hits(np.where(lists >= 0, anime_ids[lists], -1), relevant)


def in_order_of_ids(lists: Ints, k: int, anime_ids: Ints) -> NDArray[Any]:
    """As published for the weighted average: the first k items, no longer by distance but by anime id.

    Its code looks the nearest anime up in a table that is sorted by id, and takes them in the order of the
    table.
    """
    top = lists[:, :k]
    keys = np.where(top >= 0, anime_ids[top], np.iinfo(np.int64).max)
    return np.take_along_axis(top, np.argsort(keys, axis=1, kind="stable"), axis=1)
