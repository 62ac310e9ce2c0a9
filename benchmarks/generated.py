"""Generated interactions of the size and shape of Kaggle's "Anime Recommendations Database"."""

import numpy as np

from recommender.engine.ratings import UNRATED, RatingMatrix

#: As counted in the full file: those with two or more ratings, their ratings, those with one, and unrated rows.
RATERS, RATINGS, SINGLE_RATERS, UNRATED_ROWS = 66_351, 6_333_992, 3_249, 1_476_496
ANIME = 9_926
TASTES = 8


def kaggle_sized(seed: int = 0) -> RatingMatrix:
    """As many rows as the full file, and about as many users and anime; long-tailed in both.

    A rating is the anime's quality, the user's mildness and how their tastes meet, with noise.
    """
    rng = np.random.default_rng(seed)
    wanted = RATINGS + UNRATED_ROWS
    activity, popularity = rng.lognormal(0, 1.3, RATERS), rng.lognormal(0, 2.0, ANIME)
    pairs = np.empty(0, dtype=np.int64)
    while len(pairs) < wanted:  # a pair that is drawn twice counts once
        users = np.repeat(np.arange(RATERS), rng.multinomial(wanted, activity / activity.sum()))
        items = np.repeat(np.arange(ANIME), rng.multinomial(wanted, popularity / popularity.sum()))
        pairs = np.union1d(pairs, users * ANIME + rng.permutation(items))
    pairs = rng.permutation(pairs)[:wanted]
    single = (RATERS + np.arange(SINGLE_RATERS)) * ANIME + rng.integers(0, ANIME, SINGLE_RATERS)
    users, items = np.divmod(np.concatenate([pairs, single]), ANIME)

    n_users = RATERS + SINGLE_RATERS
    user_tastes = rng.normal(0, 1 / np.sqrt(TASTES), (n_users, TASTES)).astype(np.float32)
    item_tastes = rng.normal(0, 1, (ANIME, TASTES)).astype(np.float32)
    liking = np.einsum("nt,nt->n", user_tastes[users], item_tastes[items])
    quality, mildness = rng.normal(0, 0.6, ANIME)[items], rng.normal(0, 0.7, n_users)[users]
    scores = 7.9 + 0.7 * liking + quality + mildness + rng.normal(0, 1.1, len(users))
    ratings = np.clip(np.rint(scores), 1, 10).astype(np.int8)
    ratings[:UNRATED_ROWS] = UNRATED
    return RatingMatrix.from_arrays(users + 1, items + 1, ratings)
