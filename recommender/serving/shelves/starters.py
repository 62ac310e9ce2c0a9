"""Which anime to offer somebody to rate first: known to most people, and unlike each other."""

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recommender.serving.anime_arrays import CatalogueArrays

#: How many there are, and out of how many of the best known.
COUNT, POOL = 48, 400
#: How much likeness in genres to one that was chosen weighs against being known to ten times as many people.
DIVERSITY = 1.6


def starters(anime: CatalogueArrays) -> tuple[int, ...]:
    """Anime ids, to be offered in this order; no adult titles and one of each franchise."""
    return _choose(anime)


@lru_cache(maxsize=1)
def _choose(anime: CatalogueArrays) -> tuple[int, ...]:
    """Maximal marginal relevance (Carbonell & Goldstein, 1998): known to many, less the likeness to those chosen."""
    by_fame = np.lexsort((anime.ids, -anime.members))
    pool = by_fame[~anime.is_adult[by_fame]][:POOL]
    genres = anime.genres[pool].astype(np.float64)
    known = np.log10(anime.members[pool] + 1)
    likeness = np.zeros(len(pool))
    is_left = np.ones(len(pool), dtype=bool)
    chosen: list[int] = []
    while is_left.any() and len(chosen) < COUNT:
        best = int(np.argmax(np.where(is_left, known - DIVERSITY * likeness, -np.inf)))
        chosen.append(int(anime.ids[pool[best]]))
        name = anime.names[pool[best]]
        is_left &= np.array([not _same_franchise(anime.names[place], name) for place in pool])
        likeness = np.maximum(likeness, _jaccard(genres, genres[best]))
    return tuple(chosen)


def _jaccard(genres: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    common = genres @ other
    likeness: NDArray[np.float64] = common / np.maximum(genres.sum(axis=1) + other.sum() - common, 1)
    return likeness


def _same_franchise(a: str, b: str) -> bool:
    """By how the titles begin: sequels repeat the name."""
    short, long = sorted((_letters(a), _letters(b)), key=len)
    return long.startswith(short[:8])


def _letters(title: str) -> str:
    return re.sub(r"\W", "", title.casefold())
