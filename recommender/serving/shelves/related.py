"""Anime that belong beside another: its franchise in order, and what is like it by content."""

from collections.abc import Sequence

import numpy as np

from recommender.serving.anime_arrays import CatalogueArrays
from recommender.serving.models.artifacts import Model
from recommender.serving.models.history import HistoryTowers

#: Beside likeness in genres, which is at most 1: for the same type, and for each decade between them.
SAME_TYPE, PER_DECADE = 0.08, 0.05
#: For each tenfold number of people who know it: of two that are as like, the better known one is the better answer.
PER_FAME = 0.04
#: A vector learned from fewer ratings says little of taste.
LEAST_RATINGS = 20


def franchise(anime: CatalogueArrays, anime_id: int, *, shows_adult: bool) -> tuple[int, ...]:
    """The ids of the franchise in the order in which they aired, this one among them; only this one when alone."""
    [place] = anime.positions(np.array([anime_id]))
    numbers = anime.wide_franchises.numbers
    is_one = numbers == numbers[place]
    if not shows_adult:
        is_one &= ~anime.is_adult
    places = np.flatnonzero(is_one)
    order = np.lexsort((anime.ids[places], anime.aired[places]))
    return tuple(anime.ids[places[order]].tolist())


def well_rated(model: Model | None, anime_ids: Sequence[int]) -> list[int]:
    """Those of the ids whose vectors rest on ratings enough, and not on what is known of their content."""
    if not isinstance(model, HistoryTowers):
        return list(anime_ids)
    counts = model.model.rating_counts
    rows = model.model.rows(np.array(anime_ids, dtype=np.int64))
    return [pk for pk, row in zip(anime_ids, rows, strict=True) if row >= 0 and counts[row] >= LEAST_RATINGS]


def alike_in_content(anime: CatalogueArrays, anime_id: int, *, k: int, shows_adult: bool) -> tuple[int, ...]:
    """The `k` anime with the most telling genres in common, of a like type and time."""
    [place] = anime.positions(np.array([anime_id]))
    has = anime.genres.astype(np.float32)
    # A genre that few have says more (inverse document frequency).
    weights = np.log1p(len(has) / np.maximum(has.sum(axis=0), 1))
    weighted = has * weights
    norms = np.maximum(np.linalg.norm(weighted, axis=1), 1e-9)
    likeness = weighted @ weighted[place] / (norms * norms[place])
    likeness += SAME_TYPE * (anime.types == anime.types[place])
    apart = np.abs(anime.years - anime.years[place]) / 10
    likeness -= PER_DECADE * np.nan_to_num(apart, nan=2.0)
    likeness += PER_FAME * np.log10(anime.members + 1)
    barred = np.zeros(len(has), dtype=bool) if shows_adult else anime.is_adult.copy()
    barred[place] = True
    if not has[place].any():
        return ()
    likeness[barred] = -np.inf
    best = np.argsort(-likeness, kind="stable")[:k]
    return tuple(anime.ids[best[np.isfinite(likeness[best])]].tolist())
