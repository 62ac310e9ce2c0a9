"""What is asked of a list holds on every path, by every method, and on every page of the list."""

import datetime
import itertools

import pytest
from django.contrib.auth.models import AnonymousUser

from catalog.models import Anime, ListEntry, ListStatus, Rating, User
from recommender.serving import lists
from recommender.serving.anime_arrays import catalogue
from recommender.serving.controls import Controls, extras_of_unbegun
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]


@pytest.fixture
def shelf() -> list[Anime]:
    """Twelve anime: one a year from 2001, every second a film, every third a drama, ever less known."""
    return [
        factories.anime(
            f"Shelf number {'abcdefghijkl'[i - 1]}",
            score=9 - i * 0.1,
            members=13_000 - 1000 * i,
            episodes=i,
            aired_from=datetime.date(2000 + i, 4, 1),
            type="Movie" if i % 2 == 0 else "TV",
            genres=("Action", "Drama") if i % 3 == 0 else ("Action",),
        )
        for i in range(1, 13)
    ]


@pytest.fixture(params=["cold_start", "weighted_average", "seen", "history"])
def path(request: pytest.FixtureRequest, shelf: list[Anime], user: User) -> str:
    """A user on each path, with one anime rated that no test asks for."""
    rated = factories.anime("What was rated", members=1, type="OVA", score=1, episodes=500, genres=("Sports",))
    vectors = {anime.pk: [1.0, i / 10] for i, anime in enumerate([*shelf, rated])}
    if request.param != "cold_start":
        factories.rating(user, rated, 9)
    if request.param == "history":
        factories.published_history_model(vectors)
    elif request.param != "cold_start":
        factories.published_model(vectors, {user.pk: [1.0, 1.0]} if request.param == "seen" else None)
    expected = {"weighted_average": "unseen", "history": "unseen"}.get(request.param, request.param)
    assert lists.recommend(user).path == expected
    return request.param


def numbers(user: User, shelf: list[Anime], **controls: object) -> list[int]:
    """Which of the shelf come, counted from 1, in order of the shelf."""
    found = lists.recommend(user, k=100, controls=Controls(**controls))  # type: ignore[arg-type]
    place = {anime.pk: i for i, anime in enumerate(shelf, start=1)}
    return sorted(place[item.anime_id] for item in found.items if item.anime_id in place)


def test_a_list_keeps_to_what_was_asked_on_every_path(path: str, shelf: list[Anime], user: User) -> None:
    everything = list(range(1, 13))
    assert numbers(user, shelf) == everything
    assert numbers(user, shelf, genres=frozenset({"drama", "action"})) == [3, 6, 9, 12]
    assert numbers(user, shelf, without_genres=frozenset({"drama"})) == [1, 2, 4, 5, 7, 8, 10, 11]
    assert numbers(user, shelf, types=frozenset({"Movie", "OVA"})) == [2, 4, 6, 8, 10, 12]
    assert numbers(user, shelf, min_year=2003, max_year=2005) == [3, 4, 5]
    assert numbers(user, shelf, min_episodes=11) == [11, 12]
    assert numbers(user, shelf, max_episodes=2) == [1, 2]
    assert numbers(user, shelf, min_score=8.75) == [1, 2]
    assert numbers(user, shelf, min_members=10_000, max_members=11_000) == [2, 3]
    assert numbers(user, shelf, genres=frozenset({"no-such"})) == []
    assert numbers(user, shelf, without_genres=frozenset({"no-such"})) == everything


def test_what_is_not_known_of_an_anime_keeps_no_bound(user: User) -> None:
    factories.anime("Known")
    anime = factories.anime(score=None, episodes=None, aired_from=None)
    bounds: list[dict[str, float]] = [{"min_score": 0}, {"max_episodes": 900}, {"min_year": 1900}, {"max_year": 2100}]
    assert [numbers(user, [anime], **bound) for bound in bounds] == [[]] * 4
    assert numbers(user, [anime]) == [1]


def test_pages_join_into_the_list(path: str, shelf: list[Anime], user: User) -> None:
    for controls in (Controls(), Controls(diversity=0.8, novelty=0.5)):
        whole = lists.recommend(user, k=12, controls=controls).items
        pages = [lists.recommend(user, k=5, offset=at, controls=controls).items for at in (0, 5, 10)]
        assert tuple(item.anime_id for page in pages for item in page)[:12] == tuple(i.anime_id for i in whole)


def test_pages_join_also_beyond_what_is_mixed(user: User) -> None:
    for i in range(230):
        factories.anime(members=1000 + i, score=5 + i / 100)
    controls = Controls(diversity=0.5)
    pages = [lists.recommend(user, k=100, offset=at, controls=controls).items for at in (0, 100, 200)]
    ids = [item.anime_id for page in pages for item in page]
    assert len(ids) == len(set(ids)) == 230


def test_diversity_brings_what_is_unlike_and_novelty_what_is_little_known(user: User) -> None:
    drama = [factories.anime(score=9 - i / 100, members=10_000, genres=("Drama",)) for i in range(4)]
    other = factories.anime(score=8.9, members=10_000, genres=("Space",))
    hidden = factories.anime(score=8.95, members=6000, genres=("Drama",))
    for _ in range(3):
        factories.anime(score=5.5, members=9000, genres=("Drama",))
    first = [item.anime_id for item in lists.recommend(user, k=2).items]
    assert first == [drama[0].pk, drama[1].pk]
    diverse = lists.recommend(user, k=2, controls=Controls(diversity=1)).items
    assert [item.anime_id for item in diverse] == [drama[0].pk, other.pk]
    novel = [i.anime_id for i in lists.recommend(user, k=6, controls=Controls(novelty=1)).items]
    plain = [i.anime_id for i in lists.recommend(user, k=6).items]
    assert novel.index(hidden.pk) < plain.index(hidden.pk)


def test_what_is_planned_may_come_and_what_was_dismissed_or_watched_never(shelf: list[Anime], user: User) -> None:
    for anime, status in zip(shelf, ListStatus, strict=False):
        factories.list_entry(user, anime, status)
    assert numbers(user, shelf) == [6, 7, 8, 9, 10, 11, 12]
    assert numbers(user, shelf, hide_listed=False) == [1, 6, 7, 8, 9, 10, 11, 12]


def test_extras_come_only_to_who_has_begun_and_no_series_or_film_is_taken_for_one(path: str, user: User) -> None:
    facts: dict[str, tuple[str, int | None]] = {
        "Star Road": ("TV", 2003),
        "Star Road 2nd Season": ("TV", 2005),
        "Star Road: Brotherhood": ("TV", 2009),
        "Star Road (2011)": ("TV", 2011),
        "Star Road Movie": ("Movie", 2004),
        "Star Road OVA": ("OVA", 2006),
        "Star Road (TV) Specials": ("Special", None),
        "Star Road Pilot": ("OVA", 2001),
        "Star Roads": ("OVA", None),
    }
    rows = {
        name: factories.anime(name, type=kind, aired_from=datetime.date(year, 1, 1) if year else None)
        for name, (kind, year) in facts.items()
    }
    if path == "history":
        factories.published_history_model({anime.pk: [1.0, 0.5] for anime in Anime.objects.all()})
    elif path != "cold_start":
        factories.published_model({anime.pk: [1.0, 0.5] for anime in Anime.objects.all()}, {user.pk: [1.0, 1.0]})

    def hidden() -> set[str]:
        """Those that would come by their titles alone, but for the one rule."""
        anime = catalogue()
        known = {*Rating.objects.filter(user=user).values_list("anime_id", flat=True)}
        barred = extras_of_unbegun(anime, known)
        return {name for name, row in rows.items() if barred[anime.places([row.pk])[0]]}

    def listed() -> set[str]:
        found = lists.recommend(user, k=100, controls=Controls(sequels=False)).items
        return {name for name, row in rows.items() if row.pk in {item.anime_id for item in found}}

    assert hidden() == {"Star Road OVA", "Star Road (TV) Specials"}
    assert not listed() & hidden()
    assert {"Star Road: Brotherhood", "Star Roads"} <= listed()
    factories.list_entry(user, rows["Star Road"], ListStatus.PLAN_TO_WATCH)
    assert hidden() == {"Star Road OVA", "Star Road (TV) Specials"}
    ListEntry.objects.all().delete()
    factories.rating(user, rows["Star Road"])
    assert hidden() == set()


def test_the_famous_are_not_hidden_as_sequels_of_what_shares_a_word(user: User) -> None:
    """Each pair was taken for one franchise by words that both have, or that no third title has."""
    year = itertools.count(1990)
    pairs = [
        "Samurai 7",
        "Samurai Champloo",
        "Kimi ga Nozomu",
        "Kimi no Koto",
        "Steel Chemist",
        "Steel Chemist: Return",
    ]
    rows = [factories.anime(name, aired_from=datetime.date(next(year), 1, 1)) for name in pairs]
    factories.published_history_model({anime.pk: [1.0, 0.1] for anime in [*rows, factories.anime("Known")]})
    factories.rating(user, Anime.objects.get(name="Known"), 9)
    found = lists.recommend(user, k=100, controls=Controls(sequels=False))
    assert found.path == "unseen"
    assert {item.anime_id for item in found.items} == {row.pk for row in rows}


def test_one_of_a_franchise_comes_and_the_best_of_it(user: User) -> None:
    names = ["Star Road", "Star Road 2nd Season", "Star Road II", "Star Road Movie 2: The Return", "Star Road: Nights"]
    rows = {name: factories.anime(name) for name in names}
    known = factories.anime("Known")
    vectors = {row.pk: [1.0 + 0.1 * i] for i, row in enumerate(rows.values())} | {known.pk: [1.0]}
    factories.published_history_model(vectors)
    factories.rating(user, known, 9)
    listed = [item.anime_id for item in lists.recommend(user, k=100).items]
    assert listed == [rows["Star Road: Nights"].pk, rows["Star Road Movie 2: The Return"].pk]


def test_a_control_out_of_range_is_refused_by_name() -> None:
    for name in ("diversity", "novelty"):
        with pytest.raises(ValueError, match=f"{name} must be from 0 to 1"):
            Controls(**{name: 1.5})  # type: ignore[arg-type]
    assert Controls(min_year=2000, sequels=False).changed == {"min_year", "sequels"}


def test_an_empty_catalogue_takes_controls_too() -> None:
    assert lists.recommend(AnonymousUser(), controls=Controls(diversity=1, novelty=1, sequels=False)).items == ()
    assert catalogue().franchises.tolist() == []
    assert catalogue().mean_score > 1
