"""Held-out people of the loaded data as a trial: half of each one's ratings folded in, the other half looked for."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.offline.protocol import Histories, Trial
from recommender.engine.holdout import mixed
from recommender.engine.ratings import UNRATED, RatingMatrix


class Split(NamedTuple):
    """A trial, whose user u is `user_ids[u]`, sorted."""

    user_ids: NDArray[np.int64]
    trial: Trial


def split(
    ratings: RatingMatrix, held_out: NDArray[np.int64], item_ids: NDArray[np.int64], *, seed: int, n_users: int
) -> Split:
    """At most `n_users` of the `held_out` ids, and half of each one's ratings, rounded down, folded in.

    Both are drawn by a hash of ids and seed: whatever else is in the data, a person is in the trial or not, and has
    the same half folded in. So runs that were trained at different times are compared on the same.

    Args:
        item_ids: the catalogue, sorted `[n_items]`; indices of the trial are into it, and ratings of others dropped.

    Raises:
        ValueError: nobody is left who has two ratings.
    """
    of_held_out = np.isin(ratings.user_ids, held_out)[ratings.users]
    known = np.isin(ratings.item_ids, item_ids)[ratings.items]
    kept = ratings.select(of_held_out & known & (ratings.ratings != UNRATED))
    eligible = kept.user_ids[np.diff(kept.indptr) > 1]
    if not len(eligible):
        raise ValueError("none of the people kept apart from training has two ratings or more in the data loaded now")
    chosen = eligible[np.argsort(mixed(eligible, seed=seed), kind="stable")[:n_users]]
    kept = kept.select(np.isin(kept.user_ids, chosen)[kept.users])
    lengths = np.diff(kept.indptr)
    keys = mixed(mixed(kept.item_ids, seed=seed)[kept.items].view(np.int64) ^ kept.user_ids[kept.users], seed=seed)
    place = np.empty(len(kept), dtype=np.int64)
    place[np.lexsort((keys, kept.users))] = np.arange(len(kept)) - np.repeat(kept.indptr[:-1], lengths)
    is_folded_in = place < np.repeat(lengths // 2, lengths)
    items = np.searchsorted(item_ids, kept.item_ids)[kept.items]
    halves = (
        Histories(
            np.append(0, np.bincount(kept.users[half], minlength=kept.n_users).cumsum()),
            items[half],
            kept.ratings[half],
        )
        for half in (is_folded_in, ~is_folded_in)
    )
    return Split(kept.user_ids, Trial(*halves))
