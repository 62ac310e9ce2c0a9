"""What serving needs of the catalogue, held in the process as arrays and read again when the catalogue changes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Value
from django.db.models.functions import Concat
from numpy.typing import NDArray

from catalog.models import Anime, AnimeType
from recommender.engine.popularity import bayesian_average
from recommender.engine.titles import WideFranchises, strict_franchises, wide_franchises

#: The middle of the scale from 1 to 10, for a catalogue without any score.
MIDDLE_SCORE = 5.5


@dataclass(frozen=True, eq=False)
class CatalogueArrays:
    """Every anime, in order of id. Each array is `[n_anime]` but for `genres`; NaN stands for unknown.

    Attributes:
        ids: MyAnimeList ids.
        weighted_scores: the community's score, drawn to a low one the more, the fewer gave it.
        scores, members, episodes: as the catalogue has them.
        years: the year in which it began to air.
        aired: the day on which it began to air, as a number; infinite where unknown.
        types: of `AnimeType`, "" where unknown.
        is_adult, is_extra: whether it is for adults; whether it is an OVA, a special or a music video.
        genre_slugs, genre_names, genres: `[n_genres]`, and whether an anime has each `[n_anime, n_genres]`. A genre
            that no anime has is not among them.
        names: in the Latin alphabet.
        franchises: the same number for anime of one franchise, by the strict guess of `engine.titles`.
        wide_franchises: the wide guess.
    """

    ids: NDArray[np.int64]
    weighted_scores: NDArray[np.float64]
    scores: NDArray[np.float64]
    members: NDArray[np.float64]
    episodes: NDArray[np.float64]
    years: NDArray[np.float64]
    aired: NDArray[np.float64]
    types: NDArray[np.str_]
    is_adult: NDArray[np.bool_]
    is_extra: NDArray[np.bool_]
    genre_slugs: tuple[str, ...]
    genre_names: tuple[str, ...]
    genres: NDArray[np.bool_]
    names: tuple[str, ...]
    franchises: NDArray[np.int64]
    wide_franchises: WideFranchises

    def positions(self, anime_ids: NDArray[Any]) -> NDArray[np.int64]:
        """The position of each id, or -1 where the catalogue does not have it."""
        if not len(self.ids):
            return np.full(len(anime_ids), -1)
        if len(anime_ids) == len(self.ids) and np.array_equal(anime_ids, self.ids):
            return self._own  # of a model that knows the whole catalogue
        positions = np.searchsorted(self.ids, anime_ids).clip(max=len(self.ids) - 1)
        return np.where(self.ids[positions] == anime_ids, positions, -1)

    def places(self, anime_ids: Collection[int]) -> NDArray[np.int64]:
        """The positions of those of the ids that the catalogue has."""
        positions = self.positions(np.fromiter(anime_ids, dtype=np.int64, count=len(anime_ids)))
        return positions[positions >= 0]

    @cached_property
    def mean_score(self) -> float:
        """The mean score that the community gave, each anime counted by its members."""
        weights = np.where(np.isnan(self.scores), 0, self.members)
        return float(np.average(np.nan_to_num(self.scores), weights=weights)) if weights.any() else MIDDLE_SCORE

    @cached_property
    def _own(self) -> NDArray[np.int64]:
        return np.arange(len(self.ids))

    def has_genre(self, slug: str) -> NDArray[np.bool_]:
        """Whether each anime has the genre; none has one that is not there."""
        if slug not in self.genre_slugs:
            return np.zeros(len(self.ids), dtype=bool)
        has: NDArray[np.bool_] = self.genres[:, self.genre_slugs.index(slug)]
        return has


#: An anime's genres as "slug<tab>name", so that one query brings all.
_GENRES = (
    Anime.genres.through.objects.filter(anime_id=OuterRef("pk"))
    .order_by()
    .values(pair=Concat("genre__slug", Value("\t"), "genre__name"))
)

_latest: CatalogueArrays | None = None


def catalogue() -> CatalogueArrays:
    """The catalogue as it is now: one small query when it has not changed since the last call."""
    global _latest
    _latest = _load(Anime.objects.version())
    return _latest


def is_genre(slug: str) -> bool:
    """Whether there is such a genre: no query for one that was there when the catalogue was last read."""
    return (_latest is not None and slug in _latest.genre_slugs) or slug in catalogue().genre_slugs


@lru_cache(maxsize=1)
def _load(version: str) -> CatalogueArrays:
    facts = ("pk", "score", "members", "episodes", "aired_from", "type", "is_adult", "name")
    rows = list(
        Anime.objects.order_by("pk")
        .annotate(has=ArraySubquery(_GENRES))
        .values_list(*facts, "site_score__mean", "site_score__ratings", "has")
    )
    ids, *given, dates, types, is_adult, names, own_means, own_counts, has = (
        zip(*rows, strict=True) if rows else [()] * 11
    )
    scores, members, episodes = (np.array(values, dtype=np.float64) for values in given)
    genre_names, genres = _genres(has)
    return CatalogueArrays(
        ids=np.array(ids, dtype=np.int64),
        weighted_scores=_weighted_scores(scores, members, own_means, own_counts),
        scores=scores,
        members=members,
        episodes=episodes,
        years=np.array([date.year if date else np.nan for date in dates], dtype=np.float64),
        aired=np.array([date.toordinal() if date else np.inf for date in dates], dtype=np.float64),
        types=np.array(types, dtype=np.str_),
        is_adult=np.array(is_adult, dtype=bool),
        is_extra=np.isin(np.array(types, dtype=np.str_), [AnimeType.OVA, AnimeType.SPECIAL, AnimeType.MUSIC]),
        genre_slugs=tuple(genre_names),
        genre_names=tuple(genre_names.values()),
        genres=genres,
        names=names,
        franchises=strict_franchises(names),
        wide_franchises=wide_franchises(names),
    )


def _weighted_scores(
    scores: NDArray[np.float64],
    members: NDArray[np.float64],
    own_means: tuple[float | None, ...],
    own_counts: tuple[int | None, ...],
) -> NDArray[np.float64]:
    """The community's votes and the site's own, as one: an anime without a score has none of the former."""
    means, counts = np.array(own_means, dtype=np.float64), np.nan_to_num(np.array(own_counts, dtype=np.float64))
    votes = np.where(np.isnan(scores), 0, members) + counts
    totals = np.nan_to_num(scores * members) + np.nan_to_num(means * counts)
    joined = np.divide(totals, votes, out=scores.copy(), where=counts > 0)
    return bayesian_average(joined, np.where(counts > 0, votes, members))


def _genres(of_anime: Sequence[Sequence[str]]) -> tuple[dict[str, str], NDArray[np.bool_]]:
    """Every genre's name by its slug, in order of names, and which anime has which."""
    pairs = [pair.partition("\t")[::2] for pair in {pair for some in of_anime for pair in some}]
    names = dict(sorted(pairs, key=lambda pair: pair[1]))
    columns = {f"{slug}\t{name}": column for column, (slug, name) in enumerate(names.items())}
    has = np.zeros((len(of_anime), len(names)), dtype=bool)
    for row, some in enumerate(of_anime):
        has[row, [columns[pair] for pair in some]] = True
    return names, has


def forget() -> None:
    """Drop what this process holds, so that the next call reads it again."""
    global _latest
    _latest = None
    _load.cache_clear()
