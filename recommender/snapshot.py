"""The ratings as they are at one moment, as the engine wants them."""

from catalog.histories import read_interactions

from recommender.engine.ratings import RatingMatrix


def load_ratings() -> RatingMatrix:
    """Every interaction in the database: accounts under their id, data set members under minus their row's id."""
    return RatingMatrix.from_arrays(*read_interactions())
