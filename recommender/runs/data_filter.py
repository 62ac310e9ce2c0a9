"""Which of the ratings a training learns from."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.engine.config import Config
from recommender.engine.ratings import RatingMatrix

#: Whose: all, those of the site's accounts, those of the data sets' members (their user ids are below 0).
SOURCES = ("everyone", "accounts", "members")


@dataclass(frozen=True)
class DataFilter(Config):
    """What stays of the data. Raises ValueError that names the setting.

    Attributes:
        source: whose ratings, one of `SOURCES`.
        min_user_ratings: people with fewer interactions are left out.
        min_anime_ratings: and then anime with fewer.
    """

    source: str = "everyone"
    min_user_ratings: int = 1
    min_anime_ratings: int = 1

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"source must be one of {', '.join(SOURCES)}, not {self.source!r}")
        self.check_whole("min_user_ratings", 1, 1_000_000)
        self.check_whole("min_anime_ratings", 1, 1_000_000)

    def apply(self, ratings: RatingMatrix) -> RatingMatrix:
        """The interactions that stay."""
        if self.source != "everyone":
            is_account = ratings.user_ids >= 0
            ratings = ratings.select((is_account if self.source == "accounts" else ~is_account)[ratings.users])
        if self.min_user_ratings > 1:
            ratings = ratings.select(_counts(ratings.users)[ratings.users] >= self.min_user_ratings)
        if self.min_anime_ratings > 1:
            ratings = ratings.select(_counts(ratings.items)[ratings.items] >= self.min_anime_ratings)
        return ratings


def _counts(indices: Any) -> Any:
    return np.bincount(indices)
