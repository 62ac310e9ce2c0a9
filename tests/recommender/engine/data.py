"""Ratings for the engine's tests."""

import numpy as np

from recommender.engine.paper.preparation import Prepared, prepare
from recommender.engine.ratings import RatingMatrix


def ratings(n_users: int = 60, n_items: int = 30, seed: int = 0) -> RatingMatrix:
    """Users and items of two kinds: a user rates items of the own kind high. Long-tailed counts, some unrated."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((n_users, n_items)) < rng.uniform(0.1, 0.9, n_users)[:, None])
    alike = users % 2 == items % 2
    scores = np.clip(np.where(alike, 9, 5) + rng.integers(-1, 2, len(users)), 1, 10)
    scores[rng.random(len(users)) < 0.1] = -1
    return RatingMatrix.from_arrays(users * 7 + 100, items * 3 + 5, scores)


def prepared(seed: int = 0) -> Prepared:
    return prepare(ratings(), seed=seed)
