"""What somebody dropped or rated low recommends nothing, gives no reason, and keeps the rest of its franchise away."""

from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client

from catalog.models import Anime, ListStatus, User
from evaluation.offline.protocol import Histories
from evaluation.runs.methods import run_methods
from recommender.engine import dislikes
from recommender.serving import lists
from recommender.serving.anime_arrays import catalogue
from recommender.serving.controls import Controls
from recommender.serving.models.history import HistoryTowers
from recommender.serving.models.published import published_model
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]

NINJA = ("Ninja", "Ninja: Gales", "Ninja: Gales Movie 1", "Son: Ninja the Movie", "Ninja OVA")
ROMANCE = ("Spring Letters", "Summer Kisses", "Autumn Hearts", "Winter Vows")
OTHER = ("Robot War", "Space Pilots", "Kitchen Days")
DROPPED, COMPLETED = str(ListStatus.DROPPED), str(ListStatus.COMPLETED)


@pytest.fixture
def shelf() -> dict[str, Anime]:
    """Ninja titles point one way, romances another and the rest a third; all that is not romance a little to ninja."""
    names = [*NINJA, *ROMANCE, *OTHER]
    return {name: factories.anime(name, score=9 - 0.1 * i, members=50_000 - i) for i, name in enumerate(names)}


def vectors(shelf: dict[str, Anime]) -> dict[int, list[float]]:
    def vector(name: str) -> list[float]:
        kind = (name in NINJA, name in ROMANCE, name in OTHER)
        return [float(one) + 0.1 for one in kind]

    return {row.pk: vector(name) for name, row in shelf.items()}


@pytest.fixture
def history_model(shelf: dict[str, Anime]) -> None:
    factories.published_history_model(vectors(shelf), rating_mean=7.8)


@pytest.fixture(params=["history", "paper"])
def model(request: pytest.FixtureRequest, shelf: dict[str, Anime]) -> str:
    if request.param == "history":
        factories.published_history_model(vectors(shelf), rating_mean=7.8)
    else:
        factories.published_model(vectors(shelf))
    return str(request.param)


@pytest.fixture
def listed(shelf: dict[str, Anime]) -> Callable[..., lists.RecommendationList]:
    def ask(
        ratings: dict[str, int], statuses: dict[str, str] | None = None, **options: object
    ) -> lists.RecommendationList:
        scores = {shelf[name].pk: score for name, score in ratings.items()}
        said = {shelf[name].pk: status for name, status in (statuses or {}).items()}
        return lists.recommend_for_ratings(scores, statuses=said, k=100, **options)  # type: ignore[arg-type]

    return ask


def names(found: lists.RecommendationList) -> list[str]:
    by_id = dict(Anime.objects.values_list("pk", "name"))
    return [by_id[item.anime_id] for item in found.items]


def reasons(found: lists.RecommendationList) -> set[str]:
    by_id = dict(Anime.objects.values_list("pk", "name"))
    return {by_id[pk] for item in found.items for pk in item.because}


def test_nothing_comes_because_of_a_low_rating_nor_of_its_franchise(
    model: str, listed: Callable[..., lists.RecommendationList]
) -> None:
    loves = dict.fromkeys(ROMANCE[:3], 10)
    found = listed({**loves, "Ninja": 1, "Ninja: Gales": 2})
    assert names(found)[0] == ROMANCE[3]
    assert not {*names(found)} & {*NINJA}
    assert reasons(found) <= {*loves}
    assert reasons(found)


def test_what_was_dropped_counts_as_disliked_whatever_it_was_rated(
    history_model: None, listed: Callable[..., lists.RecommendationList]
) -> None:
    found = listed({ROMANCE[0]: 9, "Robot War": 8}, {"Ninja": DROPPED, "Robot War": DROPPED})
    assert not {*names(found)} & {*NINJA}
    assert reasons(found) == {ROMANCE[0]}
    # What was watched to its end without a score still speaks for its kind.
    assert names(listed({}, {ROMANCE[0]: COMPLETED, "Ninja": DROPPED}))[0] in ROMANCE


def test_a_low_rating_changes_a_list_as_its_absence_would(
    history_model: None, listed: Callable[..., lists.RecommendationList]
) -> None:
    with_it = names(listed({ROMANCE[0]: 10, ROMANCE[1]: 9, "Robot War": 1}))
    without = [one for one in names(listed({ROMANCE[0]: 10, ROMANCE[1]: 9})) if one != "Robot War"]
    assert with_it == without


def test_who_liked_a_part_of_a_franchise_goes_on_getting_it(
    model: str, listed: Callable[..., lists.RecommendationList]
) -> None:
    found = names(listed({"Ninja": 10, "Ninja: Gales": 10, "Ninja OVA": 3}))
    assert {*found} & {"Ninja: Gales Movie 1", "Son: Ninja the Movie"}


def test_what_is_planned_stays_though_a_part_was_dropped(
    history_model: None, listed: Callable[..., lists.RecommendationList]
) -> None:
    statuses = {"Ninja": DROPPED, "Son: Ninja the Movie": str(ListStatus.PLAN_TO_WATCH)}
    found = names(listed({ROMANCE[0]: 9}, statuses, controls=Controls(hide_listed=False)))
    assert {*found} & {*NINJA} == {"Son: Ninja the Movie"}


@pytest.mark.parametrize(
    ("ratings", "statuses"),
    [
        (dict.fromkeys(NINJA[:3], 1), {}),
        ({}, dict.fromkeys(NINJA[:3], DROPPED)),
        ({"Ninja": 2}, {"Robot War": DROPPED}),
    ],
)
def test_who_disliked_everything_gets_the_best_of_the_community_away_from_it(
    history_model: None,
    listed: Callable[..., lists.RecommendationList],
    monkeypatch: pytest.MonkeyPatch,
    ratings: dict[str, int],
    statuses: dict[str, str],
) -> None:
    monkeypatch.setattr(lists, "AWAY_FROM_DISLIKED", len(NINJA) + (len(OTHER) if "Robot War" in statuses else 0))
    found = listed(ratings, statuses)
    assert (found.path, found.method, found.model_version is None) == ("unseen", "popularity", False)
    expected = [*ROMANCE] if "Robot War" in statuses else [*ROMANCE, *OTHER]
    assert names(found) == expected  # by the community's score
    assert reasons(found) == set()
    assert all((item.predicted_rating is None) == (not ratings) for item in found.items)
    with pytest.raises(lists.MethodUnavailable, match="not disliked"):
        listed(ratings, statuses, method="two_tower")


def test_all_ones_are_not_all_tens(model: str, listed: Callable[..., lists.RecommendationList]) -> None:
    ones, tens = (names(listed(dict.fromkeys(NINJA[:3], score))) for score in (1, 10))
    assert not {*ones} & {*NINJA}
    assert {*tens} & {*NINJA}


def test_without_a_model_the_franchise_stays_away_too(listed: Callable[..., lists.RecommendationList]) -> None:
    found = listed({"Ninja": 1})
    assert found.path == "cold_start"
    assert not {*names(found)} & {*NINJA}


def test_the_page_never_speaks_of_no_ratings(
    client: Client, user: User, shelf: dict[str, Anime], history_model: None
) -> None:
    client.force_login(user)
    for name in NINJA[:3]:
        factories.list_entry(user, shelf[name], ListStatus.DROPPED)
    page = client.get("/recommendations/").text
    assert "Popular, and unlike what you did not like" in page
    factories.list_entry(user, shelf[ROMANCE[0]], ListStatus.COMPLETED)
    watched = client.get("/recommendations/").text
    assert "Because of what you watched" in watched
    for text in (page, watched):
        assert "0 rating" not in text


def test_evaluations_rank_by_what_is_served(
    shelf: dict[str, Anime], history_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists as served and the plain scores of the towers take the rule from one place."""
    published = published_model()
    assert isinstance(published, HistoryTowers)
    ids = catalogue().ids
    place = {name: int(np.searchsorted(ids, row.pk)) for name, row in shelf.items()}
    items = np.array([place[ROMANCE[0]], place["Robot War"], place["Space Pilots"]])
    order = np.argsort(items)
    fold_in = Histories(np.array([0, 3]), items[order], np.array([10, 1, 1])[order])
    methods = {one.key: one for one in run_methods(published, ids, np.ones(len(ids)))}

    def first(key: str) -> set[int]:
        return {*methods[key].rank(fold_in, 3)[0].tolist()}

    romances = {place[name] for name in ROMANCE[1:]}
    assert first("two_tower") == first("auto") == romances
    monkeypatch.setattr(dislikes, "DISLIKED_BELOW", 100)
    assert first("two_tower") != romances
    assert first("auto") != romances
