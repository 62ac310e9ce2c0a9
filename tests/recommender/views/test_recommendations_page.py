"""The whole list with its filters, and the rows of home."""

from datetime import date
from typing import Any

import pytest
from django.test import Client

from catalog.models import ADULT_GENRE, Anime, ListStatus, User
from catalog.taste.near_tastes import LEAST_PEOPLE, loved_nearby
from recommender.views.forms import MAX_NEAR
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
HTMX = {"HX-Request": "true"}
PAGE = "/recommendations/"


@pytest.fixture
def shelf() -> dict[str, Anime]:
    """Anime that differ in one thing each, the model's order being that of the list."""
    facts: dict[str, dict[str, Any]] = {
        "Alone": {"genres": ("Drama",), "aired_from": date(1985, 1, 1), "members": 500_000},
        "Bright": {"genres": ("Comedy",), "type": "Movie", "episodes": 1},
        "Calm": {"genres": ("Drama", "Comedy"), "episodes": 50, "score": 9.0},
        "Deep": {"genres": ("Horror",), "aired_from": date(2015, 1, 1)},
        "Deep OVA": {"type": "OVA", "genres": ("Horror",), "aired_from": date(2017, 1, 1)},
        "Mine": {"genres": ("Sports",)},
        "Adult": {"genres": (ADULT_GENRE,)},
    }
    shelf = {name: factories.anime(name, **some) for name, some in facts.items()}
    factories.published_model({one.pk: [1.0, 0.1 * i] for i, one in enumerate(shelf.values())})
    return shelf


@pytest.fixture
def member(client: Client, user: User, shelf: dict[str, Anime]) -> Client:
    factories.rating(user, shelf["Mine"], 10)
    client.force_login(user)
    return client


def names(client: Client, query: str = "") -> set[str]:
    return {card.anime.name for card in client.get(PAGE + query).context["cards"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"Alone", "Bright", "Calm", "Deep"}),
        ("?sequels=on", {"Alone", "Bright", "Calm", "Deep", "Deep OVA"}),
        ("?genre=drama", {"Alone", "Calm"}),
        ("?genre=drama&genre=comedy", {"Calm"}),
        ("?without=drama&without=horror", {"Bright"}),
        ("?type=Movie", {"Bright"}),
        ("?since=2000", {"Deep"}),
        ("?until=1990", {"Alone"}),
        ("?length=one", {"Bright"}),
        ("?length=long", {"Calm"}),
        ("?score=8.5", {"Calm"}),
        ("?fame=known", {"Alone"}),
        ("?fame=hidden&genre=comedy", {"Bright", "Calm"}),
        ("?novelty=100&diversity=100", {"Alone", "Bright", "Calm", "Deep"}),
    ],
)
def test_filters_are_in_the_address_for_everybody(member: Client, query: str, expected: set[str]) -> None:
    assert names(member, query) == expected
    # A visitor's list, by the community's score, has one anime of a franchise; lists of the paper's model have all.
    assert names(Client(), query) - {"Mine"} == expected - {"Deep OVA"}


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("?genre=nope", "With these genres"),
        ("?type=Film", "Type"),
        ("?since=x", "From year"),
        ("?since=2010&until=2000", "To year"),
        ("?novelty=101", "Novelty"),
        ("?diversity=-1", "Diversity"),
        ("?score=nan", "Minimum score"),
        ("?fame=%00", "Popularity"),
        ("?like=x", "More like this"),
        ("?unlike=" + "9" * 40, "Less like this"),
        ("?" + "&".join(f"like={i}" for i in range(MAX_NEAR + 1)), "More like this"),
        (f"?genre={ADULT_GENRE.lower()}", "With these genres"),
    ],
)
def test_what_is_not_understood_is_left_out_and_named(member: Client, query: str, label: str) -> None:
    response = member.get(PAGE + query)
    assert response.status_code == 200
    assert label in response.text.split("not understood:")[1].split("</p>")[0]
    assert response.context["cards"]


def test_more_and_less_like_one(member: Client, shelf: dict[str, Anime]) -> None:
    for i in range(400):
        factories.anime(f"Far {i}", genres=("Cars",))
    calm = shelf["Calm"]
    page = member.get(f"{PAGE}?like={calm.pk}")
    assert {card.anime.name for card in page.context["cards"]} == {"Alone", "Bright", "Deep"}
    assert "More like Calm" in page.text
    away = member.get(f"{PAGE}?unlike={calm.pk}&genre=drama")
    assert away.context["cards"] == []
    assert "No anime matches all of these filters." in away.text
    assert 'href="/recommendations/?genre=drama"' in away.text  # without it
    assert member.get(f"{PAGE}?like=999999999").status_code == 200


def test_what_is_planned_is_hidden_unless_asked_for(member: Client, user: User, shelf: dict[str, Anime]) -> None:
    factories.list_entry(user, shelf["Calm"], ListStatus.PLAN_TO_WATCH)
    factories.list_entry(user, shelf["Bright"], ListStatus.NOT_INTERESTED)
    assert names(member) == {"Alone", "Deep"}
    assert names(member, "?planned=on") == {"Alone", "Calm", "Deep"}


def test_the_list_alone_keeps_the_filters_for_the_next_time(member: Client) -> None:
    part = member.get(f"{PAGE}?genre=drama&genre=comedy&evil=1", headers=HTMX)
    assert "<html" not in part.text
    assert part.context["list_query"] == [("genre", "drama"), ("genre", "comedy")]


def test_home_has_rows_of_what_is_hidden_and_planned(member: Client, user: User, shelf: dict[str, Anime]) -> None:
    factories.list_entry(user, shelf["Alone"], ListStatus.PLAN_TO_WATCH)
    rows = {shelf.key: shelf.cards for shelf in member.get("/recommendations/rows/").context["shelves"]}
    assert [card.anime.name for card in rows["planned"]] == ["Alone"]
    assert [card.anime.name for card in rows["gems"]] == ["Calm"]
    assert "near" not in rows
    assert Client().get("/recommendations/rows/").context["shelves"] == []


def test_a_taste_near_mine_is_of_people_who_agree(member: Client, user: User, shelf: dict[str, Anime]) -> None:
    factories.rating(user, shelf["Deep"], 9)
    factories.rating(user, shelf["Alone"], 8)
    mine = {shelf[name].pk: 9 for name in ("Mine", "Deep", "Alone")}
    for _ in range(LEAST_PEOPLE):
        factories.member({**mine, shelf["Deep OVA"].pk: 9, shelf["Calm"].pk: 10, shelf["Adult"].pk: 10})
    factories.member({**mine, shelf["Bright"].pk: 10})
    rows = {shelf.key: shelf.cards for shelf in member.get("/recommendations/rows/").context["shelves"]}
    assert {card.anime.name for card in rows["near"]} == {"Calm", "Deep OVA"}
    assert loved_nearby({shelf["Mine"].pk: 10}, known=(), version="") == []
