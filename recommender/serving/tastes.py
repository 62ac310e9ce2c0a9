"""What of a person's ratings and list speaks for an anime, and what against it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.histories import WATCHED
from catalog.models import ListStatus
from recommender.engine.dislikes import disliked_by_one
from recommender.serving.anime_arrays import CatalogueArrays
from recommender.serving.models.artifacts import Model
from recommender.serving.models.history import HistoryTowers


@dataclass(frozen=True)
class Taste:
    """A person's history in two parts, as anime ids.

    Attributes:
        rated: the ratings that lists are made from and reasons are given of.
        watched: what was watched without a rating, and not dropped.
        disliked: what was dropped or rated low (`engine.dislikes`). Nothing is recommended because of it.
    """

    rated: Mapping[int, int]
    watched: tuple[int, ...]
    disliked: frozenset[int]

    @classmethod
    def of(cls, ratings: Mapping[int, int], statuses: Mapping[int, str], community_mean: float) -> "Taste":
        scores = np.fromiter(ratings.values(), dtype=np.float64, count=len(ratings))
        is_low = disliked_by_one(scores, community_mean).tolist()
        dropped = {anime for anime, status in statuses.items() if status == ListStatus.DROPPED}
        disliked = dropped | {anime for anime, low in zip(ratings, is_low, strict=True) if low}
        return cls(
            {anime: score for anime, score in ratings.items() if anime not in disliked},
            tuple(pk for pk in watched(statuses) if pk not in ratings and pk not in disliked),
            frozenset(disliked),
        )

    def disliked_franchises(self, anime: CatalogueArrays) -> NDArray[np.bool_]:
        """Which anime are of a franchise of which the person disliked something and liked nothing `[n_anime]`."""
        is_of_one = np.zeros(len(anime.ids), dtype=bool)
        franchises = anime.wide_franchises
        liked = franchises.numbers[anime.places({*self.rated, *self.watched})]
        for number in np.setdiff1d(franchises.numbers[anime.places(self.disliked)], liked):
            is_of_one[franchises.members[number]] = True
        return is_of_one


def community_mean(model: Model | None, anime: CatalogueArrays) -> float:
    """The mean rating that a person's mean is drawn to: of the model's training, or of the catalogue's scores."""
    return model.model.rating_head.mean if isinstance(model, HistoryTowers) else anime.mean_score


def watched(statuses: Mapping[int, str]) -> list[int]:
    """What a person has seen by their list, whether they liked it or not."""
    return [anime for anime, status in statuses.items() if status in WATCHED]
