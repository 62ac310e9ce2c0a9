"""Which of a person's ratings say that they disliked an anime. The one home of this rule.

What was disliked is left out of the history that the user tower reads and out of the reasons for a list: the tower
reads what was watched, not how it was rated, so that a 1 would recommend as much as a 10.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.engine.history.model import HistoryModel

#: A rating this far below the person's mean is a dislike (docs/quality.md has the figures for other distances).
DISLIKED_BELOW = 1.5
#: The person's mean is drawn to the community's as if they had given so many ratings of that mean besides. Whoever
#: gives one score to everything is judged as if they had given it once, because their own mean says nothing: however
#: many ones somebody gives, all of them are dislikes.
MEAN_SHRINKAGE = 4.0


def disliked(
    indptr: NDArray[np.integer[Any]], ratings: NDArray[Any], community_mean: float, *, below: float | None = None
) -> NDArray[np.bool_]:
    """Which ratings are dislikes `[n_ratings]`.

    Args:
        indptr: `[n_users + 1]`; the ratings of user u are `ratings[indptr[u]:indptr[u + 1]]`, each from 1 to 10.
        community_mean: of all ratings of everybody.
        below: points below the person's mean; by default DISLIKED_BELOW.
    """
    lengths = np.diff(indptr)
    users = np.repeat(np.arange(len(lengths)), lengths)
    ratings = np.asarray(ratings, dtype=np.float64)
    sums = np.bincount(users, weights=ratings, minlength=len(lengths))
    squares = np.bincount(users, weights=ratings**2, minlength=len(lengths))
    gives_one_score = (lengths > 0) & (squares * lengths <= sums**2)
    sums = np.where(gives_one_score, sums / np.maximum(lengths, 1), sums)
    lengths = np.where(gives_one_score, 1, lengths)
    means = (sums + MEAN_SHRINKAGE * community_mean) / (lengths + MEAN_SHRINKAGE)
    is_disliked: NDArray[np.bool_] = ratings <= means[users] - (DISLIKED_BELOW if below is None else below)
    return is_disliked


def disliked_by_one(ratings: NDArray[Any], community_mean: float) -> NDArray[np.bool_]:
    """The same for the ratings of one person `[n_ratings]`."""
    return disliked(np.array([0, len(ratings)]), ratings, community_mean)


def without_disliked(
    model: HistoryModel, indptr: NDArray[np.integer[Any]], rows: NDArray[np.integer[Any]], ratings: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.integer[Any]]]:
    """The histories that the user tower reads, as CSR `(indptr, rows)`: those given, without what was disliked."""
    is_kept = ~disliked(indptr, ratings, model.rating_head.mean)
    return np.append(0, is_kept.cumsum())[indptr], rows[is_kept]
