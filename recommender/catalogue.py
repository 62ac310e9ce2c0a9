"""What serving needs of the catalogue, held in the process as arrays and read again when the catalogue changes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from catalog.models import Anime
from recommender.engine.popularity import bayesian_average


@dataclass(frozen=True)
class CatalogueArrays:
    """Every anime, in order of id: `ids`, `weighted_scores` and `is_adult`, each [n_anime]."""

    ids: np.ndarray
    weighted_scores: np.ndarray
    is_adult: np.ndarray

    def positions(self, anime_ids: np.ndarray) -> np.ndarray:
        """The position of each id, or -1 where the catalogue does not have it."""
        if not len(self.ids):
            return np.full(len(anime_ids), -1)
        positions = np.searchsorted(self.ids, anime_ids).clip(max=len(self.ids) - 1)
        return np.where(self.ids[positions] == anime_ids, positions, -1)


def catalogue() -> CatalogueArrays:
    """The catalogue as it is now: one small query when it has not changed since the last call."""
    return _load(Anime.objects.version())


@lru_cache(maxsize=1)
def _load(version: str) -> CatalogueArrays:
    columns = ("pk", "score", "members", "is_adult", "site_score__mean", "site_score__ratings")
    rows = np.array(list(Anime.objects.order_by("pk").values_list(*columns)), dtype=np.float64).reshape(-1, 6)
    ids, scores, members, is_adult, own_means, own_counts = rows.T
    own_counts = np.nan_to_num(own_counts)
    # The community's votes and the site's own, as one: an anime without a score has none of the former.
    votes = np.where(np.isnan(scores), 0, members) + own_counts
    totals = np.nan_to_num(scores * members) + np.nan_to_num(own_means * own_counts)
    means = np.divide(totals, votes, out=scores.copy(), where=own_counts > 0)
    return CatalogueArrays(
        ids=ids.astype(np.int64),
        weighted_scores=bayesian_average(means, np.where(own_counts > 0, votes, members)),
        is_adult=is_adult.astype(bool),
    )


def forget() -> None:
    """Drop what this process holds, so that the next call reads it again."""
    _load.cache_clear()
