"""What a person's ratings say of them: genres, eras, and how they score beside the community."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean

from catalog.models import MAX_SCORE, Anime, ListEntry, ListStatus, Rating, User
from catalog.views.cards import FIELDS

#: With fewer ratings a picture would be of chance.
ENOUGH = 5
GENRES_SHOWN, LEAST_OF_GENRE = 10, 2
FARTHEST_SHOWN = 6
#: A score nearer than this to the community's is not worth a word.
LEAST_APART = 1.0


@dataclass(frozen=True)
class GenreTaste:
    """`mean` is one's own, `community` that of the community for the same anime."""

    name: str
    rated: int
    mean: float
    community: float | None


@dataclass(frozen=True)
class Apart:
    """An anime that one scores otherwise than the community."""

    anime: Anime
    score: int


@dataclass(frozen=True)
class Taste:
    """`counts[i]` ratings of i + 1; `eras` are decades and how many were rated of each, the oldest first."""

    rated: int
    mean: float
    lean: float | None
    counts: tuple[int, ...]
    genres: list[GenreTaste]
    eras: list[tuple[int, int]]
    above: list[Apart]
    below: list[Apart]


@dataclass(frozen=True)
class Watched:
    """What is on one's lists: anime by list, and episodes of what is completed."""

    by_status: dict[str, int]
    episodes: int


def taste_of(user: User) -> Taste | None:
    """None with fewer than ENOUGH ratings. Two queries."""
    only = [f"anime__{name}" for name in FIELDS]
    ratings = Rating.objects.filter(user=user).select_related("anime").only("score", *only)
    if not user.shows_adult:
        ratings = ratings.filter(anime__is_adult=False)
    said = [Apart(row.anime, row.score) for row in ratings]
    if len(said) < ENOUGH:
        return None
    given = Counter(one.score for one in said)
    decades = Counter(one.anime.aired_from.year // 10 * 10 for one in said if one.anime.aired_from)
    return Taste(
        rated=len(said),
        mean=fmean(one.score for one in said),
        lean=_lean(said),
        counts=tuple(given[score] for score in range(1, MAX_SCORE + 1)),
        genres=_genres(said),
        eras=[(decade, decades[decade]) for decade in range(min(decades), max(decades) + 1, 10)] if decades else [],
        above=_farthest(said, 1),
        below=_farthest(said, -1),
    )


def watched_by(user: User) -> Watched:
    """One query."""
    entries = ListEntry.objects.filter(user=user).order_by().values_list("status", "anime__episodes")
    if not user.shows_adult:
        entries = entries.filter(anime__is_adult=False)
    rows = list(entries)
    episodes = sum(episodes or 1 for status, episodes in rows if status == ListStatus.COMPLETED)
    return Watched(dict(Counter(status for status, _episodes in rows)), episodes)


def _lean(said: list[Apart]) -> float | None:
    """How much higher one scores than the community does for the same anime."""
    apart = [_apart(one) for one in said if one.anime.score]
    return fmean(apart) if apart else None


def _apart(one: Apart) -> float:
    return one.score - (one.anime.score or one.score)


def _genres(said: list[Apart]) -> list[GenreTaste]:
    """Those of which most was rated, the dearest first."""
    by_anime = {one.anime.pk: one for one in said}
    of_genre: dict[str, list[Apart]] = defaultdict(list)
    has = Anime.genres.through.objects.filter(anime_id__in=by_anime).values_list("genre__name", "anime_id")
    for name, anime_id in has:
        of_genre[name].append(by_anime[anime_id])
    most = sorted(of_genre.items(), key=lambda item: (-len(item[1]), item[0]))[:GENRES_SHOWN]
    tastes = []
    for name, some in most:
        community = [one.anime.score for one in some if one.anime.score]
        if len(some) >= LEAST_OF_GENRE:
            mean = fmean(one.score for one in some)
            tastes.append(GenreTaste(name, len(some), mean, fmean(community) if community else None))
    return sorted(tastes, key=lambda genre: (-genre.mean, -genre.rated, genre.name))


def _farthest(said: list[Apart], sign: int) -> list[Apart]:
    apart = [one for one in said if sign * _apart(one) >= LEAST_APART]
    return sorted(apart, key=lambda one: (-sign * _apart(one), one.anime.pk))[:FARTHEST_SHOWN]
