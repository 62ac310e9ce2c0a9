"""People kept apart from every training, so that a model can be measured on somebody it has never seen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.engine.paper.preparation import HELD_OUT_USERS
from recommender.engine.ratings import UNRATED, RatingMatrix

#: Of fewer than ten times `HELD_OUT_USERS` people, one in so many is kept apart.
ONE_IN = 10
_GOLDEN, _FIRST, _SECOND = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def held_out_users(ratings: RatingMatrix) -> NDArray[np.int64]:
    """Ids `[n]`, sorted, of whom a training leaves out: a tenth of those with two ratings or more, at most 500.

    Drawn by a hash of the id, so that the same people are left out of the next training, on more data, too; only
    when others come do a few change.
    """
    rated = np.bincount(ratings.users[ratings.ratings != UNRATED], minlength=ratings.n_users)
    eligible = ratings.user_ids[rated > 1]
    n = min(HELD_OUT_USERS, len(eligible) // ONE_IN)
    return np.sort(eligible[np.argsort(mixed(eligible, seed=0), kind="stable")[:n]])


def mixed(ids: NDArray[np.int64], *, seed: int) -> NDArray[np.uint64]:
    """A hash of each id `[n]` that looks random, another for each seed: SplitMix64."""
    with np.errstate(over="ignore"):
        value: NDArray[Any] = ids.astype(np.int64).view(np.uint64) + _GOLDEN * np.uint64(seed + 1)
        value = (value ^ (value >> np.uint64(30))) * _FIRST
        value = (value ^ (value >> np.uint64(27))) * _SECOND
        value ^= value >> np.uint64(31)
    return value
