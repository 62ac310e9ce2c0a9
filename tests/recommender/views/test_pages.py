"""Home, its list and similar anime: who sees which list, and what it says of itself."""

import pytest
from django.test import Client

from catalog.models import ADULT_GENRE, Anime, ListStatus, User
from recommender.models import TrainingRun
from recommender.serving.anime_arrays import catalogue
from recommender.serving.shelves.starters import starters
from recommender.views.pages import ENOUGH_RATINGS, FIRST, STARTERS_SHOWN, STEP
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def shelf() -> dict[str, Anime]:
    """Forty anime of two kinds, the space ones better known."""
    kinds = {"Space": 1_000_000, "School": 1000}
    return {
        f"{kind}{i:02}": factories.anime(f"{kind}{i:02}", genres=(kind, f"Mood {i}"), members=members - i, score=8)
        for kind, members in kinds.items()
        for i in range(20)
    }


@pytest.fixture
def model(shelf: dict[str, Anime]) -> TrainingRun:
    """Kinds lie at right angles."""
    return factories.published_model(
        {a.pk: [1.0, 0.01 * i] if "Space" in a.name else [0.01 * i, 1.0] for i, a in enumerate(shelf.values())}
    )


@pytest.fixture
def member(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def names(response: object, of: str = "cards") -> list[str]:
    return [card.anime.name for card in response.context[of]]  # type: ignore[attr-defined]


def rate_school(user: User, shelf: dict[str, Anime], count: int = ENOUGH_RATINGS) -> None:
    for i in range(count):
        factories.rating(user, shelf[f"School{i:02}"], 10)


def test_a_visitor_sees_what_is_popular_and_something_to_rate(client: Client, shelf: dict[str, Anime]) -> None:
    response = client.get("/")
    assert "Popular with the community" in response.text
    assert "Find the anime you would love next" in response.text
    assert len(names(response, "starters")) == STARTERS_SHOWN
    assert len(names(response)) == FIRST
    assert not set(names(response)) & set(names(response, "starters"))


def test_the_list_follows_a_visitors_first_rating(client: Client, shelf: dict[str, Anime], model: TrainingRun) -> None:
    liked = shelf["School00"]
    answer = client.post(f"/anime/{liked.pk}/rate/", {"score": "10"}, headers=HTMX)
    assert "ratings-changed" in answer["HX-Trigger"]
    part = client.get("/recommendations/?starters=0", headers=HTMX)
    assert "<html" not in part.text
    assert "Because of your rating" in part.text
    assert "Because you rated School00 10" in part.text
    assert all(name.startswith("School") for name in names(part))
    assert "School00" not in names(part)


def test_a_member_with_enough_ratings_sees_the_list_alone(
    member: Client, user: User, shelf: dict[str, Anime], model: TrainingRun
) -> None:
    rate_school(user, shelf)
    response = member.get("/")
    assert f"Because of your {ENOUGH_RATINGS} ratings" in response.text
    assert names(response, "starters") == []
    assert names(response)[0].startswith("School")
    assert len(names(response)) == FIRST


def test_a_seen_member_reads_what_the_model_predicts(member: Client, user: User, shelf: dict[str, Anime]) -> None:
    rate_school(user, shelf)
    vectors = {anime.pk: [1.0, i / 10] for i, anime in enumerate(shelf.values())}
    factories.published_model(vectors, {user.pk: [6.0, 1.0]})
    response = member.get("/")
    top = response.context["cards"][0]
    assert (top.anime.name, top.predicted) == ("School19", pytest.approx(9.9))
    assert "9.9" in response.text
    assert "what we think you would give it" in response.text


def test_what_is_rated_listed_or_dismissed_is_not_recommended(
    member: Client, user: User, shelf: dict[str, Anime], model: TrainingRun
) -> None:
    rate_school(user, shelf)
    factories.list_entry(user, shelf["School10"], ListStatus.NOT_INTERESTED)
    factories.list_entry(user, shelf["School11"], ListStatus.PLAN_TO_WATCH)
    shown = names(member.get("/recommendations/")) + names(member.get("/recommendations/?page=2"))
    assert len(shown) == 40 - ENOUGH_RATINGS - 2
    assert not {"School00", "School10", "School11"} & set(shown)


def test_ratings_without_a_model_are_told_that_they_wait(member: Client, user: User, shelf: dict[str, Anime]) -> None:
    rate_school(user, shelf)
    response = member.get("/")
    assert "Popular with the community" in response.text
    assert "Your ratings count as soon as one does." in response.text


def test_the_whole_list_has_pages(member: Client, user: User, shelf: dict[str, Anime], model: TrainingRun) -> None:
    rate_school(user, shelf)
    assert 'href="/recommendations/"' in member.get("/").text
    first, second = member.get("/recommendations/"), member.get("/recommendations/?page=2")
    assert len(names(first)) == STEP
    assert len(names(second)) == 40 - ENOUGH_RATINGS - STEP
    assert not set(names(first)) & set(names(second))
    assert 'href="/recommendations/?page=2"' in first.text
    assert 'rel="next"' not in second.text
    assert "Nothing left to recommend" in member.get("/recommendations/?page=20").text


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=99999999999", "starters=999", "starters=²"])
def test_a_number_that_is_none_is_left_out(client: Client, shelf: dict[str, Anime], query: str) -> None:
    assert client.get(f"/?{query}").status_code == 200
    assert client.get(f"/recommendations/?{query}", headers=HTMX).status_code == 200


def test_an_empty_catalogue_has_a_home(client: Client) -> None:
    assert "Nothing left to recommend" in client.get("/").text


# What there is to rate first


def test_starters_are_known_and_of_one_franchise_each(shelf: dict[str, Anime]) -> None:
    factories.anime("Zeta Gundam", members=9_000_000, genres=("Mecha",))
    factories.anime("Zeta Gundam: A New Translation", members=8_000_000, genres=("Mecha",))
    factories.anime("Hidden", members=9_999_999, genres=(ADULT_GENRE,))
    chosen = [Anime.objects.get(pk=pk).name for pk in starters(catalogue())]
    assert chosen[0] == "Zeta Gundam"
    assert "Zeta Gundam: A New Translation" not in chosen
    assert "Hidden" not in chosen


def test_starters_tell_tastes_apart_though_one_kind_is_better_known() -> None:
    for i, letter in enumerate("ABCDEF"):
        factories.anime(f"{letter} in space", genres=("Space",), members=1_000_000 - i)
    factories.anime("Quiet school", genres=("School",), members=200_000)
    second = Anime.objects.get(pk=starters(catalogue())[1])
    assert second.name == "Quiet school"


def test_others_are_shown_when_asked_for(client: Client) -> None:
    for i in range(STARTERS_SHOWN + 3):
        factories.anime(f"{i:03} unlike the others", genres=(f"Genre {i}",))
    first, second = names(client.get("/"), "starters"), names(client.get("/?starters=1"), "starters")
    assert len(second) == 3
    assert not set(first) & set(second)
    assert names(client.get("/?starters=2"), "starters") == first


# Labels and staff


@pytest.mark.parametrize("is_simulated", [True, False])
def test_simulated_ratings_are_labelled(
    client: Client, shelf: dict[str, Anime], model: TrainingRun, is_simulated: bool
) -> None:
    factories.dataset(is_simulated=is_simulated)
    for address in ("/", "/recommendations/", f"/anime/{shelf['Space00'].pk}/similar/"):
        assert ("Simulated data" in client.get(address, headers=HTMX).text) == is_simulated


def test_staff_choose_the_method_and_nobody_else(
    client: Client, user: User, shelf: dict[str, Anime], model: TrainingRun
) -> None:
    staff = factories.staff()
    for person in (user, staff):
        rate_school(person, shelf)
    client.force_login(user)
    assert "Method (staff)" not in client.get("/?method=popularity").text
    assert names(client.get("/?method=popularity"))[0].startswith("School")
    client.force_login(staff)
    assert names(client.get("/?method=popularity"))[0].startswith("Space")
    assert "popularity" in client.get("/?method=popularity").text


def test_a_method_that_cannot_be_is_explained(client: Client, shelf: dict[str, Anime]) -> None:
    client.force_login(factories.staff())
    unavailable = client.get("/?method=two_tower")
    assert "needs a published model" in unavailable.text
    assert names(unavailable)
    assert "There is no method magic." in client.get("/?method=magic").text


# Similar anime


def close_in_taste(response: object) -> list[str]:
    shelves = {shelf.key: shelf.cards for shelf in response.context["shelves"]}  # type: ignore[attr-defined]
    return [card.anime.name for card in shelves.get("taste", [])]


def test_what_the_model_puts_near_is_close_in_taste(client: Client) -> None:
    names = ("Alpha", "Beta", "Alpha: Return", "Gamma")
    anime = {name: factories.anime(name) for name in names}
    factories.published_model({one.pk: [1.0, 0.1 * i] for i, one in enumerate(anime.values())})
    page = client.get(f"/anime/{anime['Alpha'].pk}/similar/")
    assert "Anime like Alpha" in page.text
    assert close_in_taste(page) == ["Beta", "Gamma"]  # the franchise has a shelf of its own


def test_without_a_model_nothing_is_said_to_be_close_in_taste(client: Client, shelf: dict[str, Anime]) -> None:
    response = client.get(f"/anime/{shelf['School03'].pk}/similar/", headers=HTMX)
    assert close_in_taste(response) == []


def test_lists_are_not_kept_by_caches(client: Client, shelf: dict[str, Anime]) -> None:
    for address in ("/", "/recommendations/"):
        assert "no-store" in client.get(address)["Cache-Control"]
