"""Which anime to offer somebody to rate first: known to most people, and unlike each other."""

import math
import re
from functools import lru_cache

from catalog.models import Anime

#: How many there are, and out of how many of the best known.
COUNT, POOL = 48, 400
#: How much likeness in genres to one that was chosen weighs against being known to ten times as many people.
DIVERSITY = 1.6


def starters() -> tuple[int, ...]:
    """Anime ids, to be offered in this order; no adult titles and one of each franchise."""
    return _choose(Anime.objects.version())


@lru_cache(maxsize=1)
def _choose(version: str) -> tuple[int, ...]:
    """Maximal marginal relevance (Carbonell & Goldstein, 1998): known to many, less the likeness to those chosen."""
    pool = list(
        Anime.objects.filter(is_adult=False)
        .only("mal_id", "name", "members")
        .prefetch_related("genres")
        .order_by("-members", "mal_id")[:POOL]
    )
    genres = {anime.pk: frozenset(genre.pk for genre in anime.genres.all()) for anime in pool}
    known = {anime.pk: math.log10(anime.members + 1) for anime in pool}
    likeness = dict.fromkeys(genres, 0.0)
    chosen: list[Anime] = []
    while pool and len(chosen) < COUNT:
        best = max(pool, key=lambda anime: known[anime.pk] - DIVERSITY * likeness[anime.pk])
        chosen.append(best)
        pool = [anime for anime in pool if not _same_franchise(anime.name, best.name)]
        for anime in pool:
            likeness[anime.pk] = max(likeness[anime.pk], _jaccard(genres[anime.pk], genres[best.pk]))
    return tuple(anime.pk for anime in chosen)


def _jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


def _same_franchise(a: str, b: str) -> bool:
    """By how the titles begin: sequels repeat the name."""
    short, long = sorted((_letters(a), _letters(b)), key=len)
    return long.startswith(short[:8])


def _letters(title: str) -> str:
    return re.sub(r"\W", "", title.casefold())
