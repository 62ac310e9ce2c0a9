"""What a person asks of a list of recommendations, applied to the whole catalogue at once."""

from collections.abc import Collection
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from recommender.serving.anime_arrays import CatalogueArrays

#: The controls run from 0 to 1 over what still gives a good list: beyond these weights of `engine.reranking`, accuracy
#: falls steeply (benchmarks/beyond_accuracy.py).
MOST_DIVERSITY, MOST_NOVELTY = 0.7, 0.3


@dataclass(frozen=True)
class Controls:
    """Which anime a list may hold, and how it is mixed. By default everything may come, the best first.

    Every bound is inclusive, and an anime of which the fact is unknown does not keep a bound.

    Attributes:
        genres: slugs; the anime has all of them.
        without_genres: slugs; the anime has none of them.
        types: of `AnimeType`; the anime is of one of them.
        min_year, max_year: when it began to air.
        min_episodes, max_episodes: how long it is.
        min_score: least community score, 0 to 10.
        min_members, max_members: how many people of the community have it on their list.
        diversity: 0 to 1, how unlike each other the anime of the list are.
        novelty: 0 to 1, how little known they are.
        hide_listed: leave out what the person plans to watch. What they rated, watched or dismissed never comes.
        sequels: whether OVAs, specials and music videos come of what the person has not begun.

    Raises:
        ValueError: a control out of range, by its name.
    """

    genres: frozenset[str] = frozenset()
    without_genres: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    min_year: int | None = None
    max_year: int | None = None
    min_episodes: int | None = None
    max_episodes: int | None = None
    min_score: float | None = None
    min_members: int | None = None
    max_members: int | None = None
    diversity: float = 0.0
    novelty: float = 0.0
    hide_listed: bool = True
    sequels: bool = True

    def __post_init__(self) -> None:
        for name in ("diversity", "novelty"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {getattr(self, name)!r}")

    @property
    def changed(self) -> frozenset[str]:
        """The names of those that are not as they are by default."""
        return frozenset(field.name for field in fields(self) if getattr(self, field.name) != field.default)

    def allowed(self, anime: CatalogueArrays) -> NDArray[np.bool_]:
        """Which anime of the catalogue keep the bounds `[n_anime]`; `extras_of_unbegun` are another question."""
        allowed = np.ones(len(anime.ids), dtype=bool)
        for slug in self.genres:
            allowed &= anime.has_genre(slug)
        for slug in self.without_genres:
            allowed &= ~anime.has_genre(slug)
        if self.types:
            allowed &= np.isin(anime.types, list(self.types))
        for values, least, most in (
            (anime.years, self.min_year, self.max_year),
            (anime.episodes, self.min_episodes, self.max_episodes),
            (anime.scores, self.min_score, None),
            (anime.members, self.min_members, self.max_members),
        ):
            # A comparison with NaN, which stands for unknown, is false.
            if least is not None:
                allowed &= values >= least
            if most is not None:
                allowed &= values <= most
        return allowed


NO_CONTROLS = Controls()


def extras_of_unbegun(anime: CatalogueArrays, begun: Collection[int]) -> NDArray[np.bool_]:
    """Which OVAs, specials and music videos belong to a story that the person has seen nothing of `[n_anime]`.

    Titles alone do not say what continues what, so that a series or film is never taken for a sequel: that guess was
    wrong for the best known of them.

    Args:
        begun: ids of what was rated or watched.
    """
    # When the first series or film of each franchise aired; what came before it, or stands alone, is no extra of it.
    begins = np.full(len(anime.ids), np.nan)
    np.fmin.at(begins, anime.franchises[~anime.is_extra], anime.aired[~anime.is_extra])
    follows = anime.aired >= begins[anime.franchises]  # never, where that is NaN
    has_begun = np.isin(anime.franchises, anime.franchises[anime.places(begun)])
    return anime.is_extra & follows & ~has_begun
