"""The catalogue's pages and forms, through the whole stack of middleware."""

import gzip
import json
import re
from datetime import date
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core import mail
from django.test import Client
from django.urls import reverse

from catalog import feedback, search
from catalog.models import ADULT_GENRE, Anime, ListEntry, ListStatus, Rating, User, VisitorEntry
from recommender.serving import anime_arrays
from tests import factories
from tests.queries import at_most

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
MOST_QUERIES = 8


@pytest.fixture
def member(client: Client, user: User) -> Client:
    """A browser that is signed in as `user`."""
    client.force_login(user)
    return client


@pytest.fixture
def shelf() -> None:
    """More than a page of anime, each with two genres of its own and the common one."""
    for i in range(40):
        factories.anime(
            f"Shelf {i}",
            genres=("Action", f"Genre {i}", f"Mood {i}"),
            members=1000 - i,
            aired_from=date(1980 + i, 1, 1),
        )


def names(response: object) -> list[str]:
    return [card.anime.name for card in response.context["cards"]]  # type: ignore[attr-defined]


# Browse


def test_browse_shows_the_popular_first_and_turns_its_pages(client: Client, shelf: None) -> None:
    first = client.get("/anime/")
    assert names(first)[:2] == ["Shelf 0", "Shelf 1"]
    assert names(client.get("/anime/?page=2")) == [f"Shelf {i}" for i in range(30, 40)]
    assert 'href="?page=2"' in first.text


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "9" * 30])
def test_a_page_that_is_not_there_is_the_nearest_one(client: Client, shelf: None, page: str) -> None:
    assert client.get("/anime/", {"page": page}).status_code == 200


def test_filters_and_sorts_work_together(client: Client) -> None:
    factories.anime("Old film", type="Movie", genres=("Drama",), aired_from=date(1988, 1, 1), score=9)
    factories.anime("New film", type="Movie", genres=("Drama", "Comedy"), aired_from=date(2016, 1, 1), score=6)
    factories.anime("Undated film", type="Movie", genres=("Drama",), score=None)
    factories.anime("Series", type="TV", genres=("Drama",))
    factories.anime("Other film", type="Movie", genres=("Sports",))
    films = {"genre": "drama", "type": "Movie"}
    assert names(client.get("/anime/", {**films, "sort": "newest"})) == ["New film", "Old film", "Undated film"]
    assert names(client.get("/anime/", {**films, "sort": "score"})) == ["Old film", "New film", "Undated film"]
    assert names(client.get("/anime/", {**films, "sort": "title"}))[0] == "New film"
    assert names(client.get("/anime/", {**films, "decade": "1980"})) == ["Old film"]
    assert names(client.get("/anime/", {**films, "score": "6", "q": "film", "sort": "title"})) == [
        "New film",
        "Old film",
    ]


def test_a_filter_finds_what_many_better_matches_hide(client: Client) -> None:
    for i in range(350):
        factories.anime(f"Star {i}", members=1000 - i, genres=("Drama",))
    factories.anime("Star of the sea", type="Movie", genres=("Sports",), members=1)
    assert names(client.get("/anime/?q=star&genre=sports")) == ["Star of the sea"]
    assert names(client.get("/anime/?q=star&type=Movie&sort=newest")) == ["Star of the sea"]
    assert "351 anime" in client.get("/anime/?q=star").text


def test_what_is_not_understood_is_left_out_and_named(client: Client, shelf: None) -> None:
    response = client.get(
        "/anime/", {"genre": "nope", "sort": "';--", "type": "Film", "q": "Shelf\x00", "decade": "x", "score": "-1"}
    )
    assert response.status_code == 200
    assert len(names(response)) == 30
    for label in ("Genre", "Sort by", "Type", "Title", "Years", "Minimum score"):
        assert label in response.text.split("not understood:")[1].split("</p>")[0]


def test_search_finds_by_a_part_of_the_title_in_either_language(client: Client, shelf: None) -> None:
    factories.anime("Cowboy Bebop", japanese_name="カウボーイビバップ", members=1)
    assert names(client.get("/anime/", {"q": "bebop"})) == ["Cowboy Bebop"]
    assert names(client.get("/anime/", {"q": "カウボーイビバップ"})) == ["Cowboy Bebop"]


def test_htmx_gets_the_results_alone_and_history_the_whole_page(client: Client, shelf: None) -> None:
    part = client.get("/anime/", {"q": "Shelf 3"}, headers=HTMX)
    assert "<html" not in part.text
    assert 'id="results"' in part.text
    assert 'id="count" hx-swap-oob' in part.text
    assert "HX-Request" in part["Vary"]
    whole = client.get("/anime/", {"q": "Shelf 3"}, headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in whole.text


def test_nothing_found_says_so_and_offers_something(client: Client, shelf: None) -> None:
    response = client.get("/anime/", {"q": "zzqqxx vvkkww"})
    assert names(response) == []
    assert "Nothing fits" in response.text
    assert "Shelf 0" in response.text


# Adult titles


def test_adult_titles_stay_out_everywhere_until_asked_for(client: Client, user: User) -> None:
    adult = factories.anime("Adult one", genres=(ADULT_GENRE,), members=10**6)
    factories.anime("Plain one")
    page, cover = f"/anime/{adult.pk}/", f"/anime/{adult.pk}/cover.svg"
    addresses = [page, cover, f"{page}similar/"]

    def assert_hidden() -> None:
        assert names(client.get("/anime/")) == ["Plain one"]
        assert ADULT_GENRE not in client.get("/anime/").text
        assert [client.get(address).status_code for address in addresses] == [404, 404, 404]
        assert client.post(f"{page}rate/", {"score": "5"}).status_code == 404
        assert client.post(f"{page}status/", {"status": "completed"}).status_code == 404

    assert_hidden()
    client.force_login(user)
    assert_hidden()
    assert client.post("/me/settings/", {"shows_adult": "on"}).status_code == 302
    assert names(client.get("/anime/")) == ["Adult one", "Plain one"]
    assert [client.get(address).status_code for address in addresses] == [200, 200, 200]
    assert "private" in client.get(cover)["Cache-Control"]
    client.post(f"{page}rate/", {"score": "5"})
    client.post("/me/settings/", {})
    assert_hidden()
    assert names(client.get("/me/ratings/")) == []


# One anime


def test_the_anime_page_shows_the_facts_and_what_i_said(member: Client, user: User) -> None:
    anime = factories.anime(
        "Trigun",
        japanese_name="トライガン",
        episodes=26,
        studios=["Madhouse"],
        source="Manga",
        genres=("Action", "Sci-Fi"),
    )
    factories.rating(user, anime, 9)
    factories.list_entry(user, anime, ListStatus.COMPLETED)
    text = member.get(anime.get_absolute_url()).text
    for fact in ("Trigun", "トライガン", "26", "Madhouse", "Manga", "Sci-Fi"):
        assert fact in text
    assert 'value="9" aria-pressed="true"' in text
    assert 'data-value="completed" value="" aria-pressed="true"' in text


def test_markup_in_a_title_is_text(client: Client) -> None:
    anime = factories.anime('<img src=x onerror=alert(1)>"')
    for address in (anime.get_absolute_url(), "/anime/"):
        assert "<img src=x" not in client.get(address).text


@pytest.mark.parametrize("number", ["999999", "99999999999999999999"])
@pytest.mark.parametrize("tail", ["", "cover.svg", "similar/"])
def test_an_unknown_anime_is_a_friendly_404(client: Client, number: str, tail: str) -> None:
    response = client.get(f"/anime/{number}/{tail}")
    assert response.status_code == 404
    assert "There is nothing here" in response.text


def test_a_cover_is_kept_for_a_year_by_its_version_and_answered_from_its_etag(client: Client) -> None:
    anime = factories.anime("Trigun", type="Movie")
    listed = client.get("/anime/").text
    address = listed.split('<img src="/anime/')[1].split('"')[0]
    response = client.get(f"/anime/{address}")
    assert response["Content-Type"] == "image/svg+xml"
    assert "immutable" in response["Cache-Control"]
    assert "Cookie" not in response.get("Vary", "")
    again = client.get(f"/anime/{address}", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    japanese = client.get(f"/anime/{address}", headers={"Accept-Language": "ja"})
    assert japanese.content == response.content
    plain = client.get(f"/anime/{anime.pk}/cover.svg?v=other")
    assert "immutable" not in plain["Cache-Control"]


# Rating


def test_rating_without_script_goes_back_to_where_it_was_given(member: Client, user: User) -> None:
    anime = factories.anime("Trigun")
    response = member.post(f"/anime/{anime.pk}/rate/", {"score": "8", "next": "/anime/?q=tri"})
    assert (response.status_code, response["Location"]) == (302, "/anime/?q=tri")
    assert "You rated Trigun 8." in member.get(response["Location"]).text
    assert user.ratings.get().score == 8


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_it_never_leaves_the_site_for_that(member: Client, target: str) -> None:
    anime = factories.anime()
    response = member.post(f"/anime/{anime.pk}/rate/", {"score": "8", "next": target})
    assert response["Location"] == anime.get_absolute_url()


def test_htmx_is_told_what_changed_and_can_undo_it(member: Client, user: User) -> None:
    anime = factories.anime("Trigun")
    factories.rating(user, anime, 4)
    address = f"/anime/{anime.pk}/rate/"
    response = member.post(address, {"score": "8"}, headers=HTMX)
    assert json.loads(response["HX-Trigger"]) == {"ratings-changed": {"anime": anime.pk, "score": 8}}
    assert '<input type="hidden" name="score" value="4">' in response.text
    undone = member.post(address, {"score": "4", "undo": "1"}, headers=HTMX)
    assert "Undone." in undone.text
    assert 'name="undo"' not in undone.text
    assert user.ratings.get().score == 4


def test_an_empty_score_takes_it_back_as_often_as_it_is_sent(member: Client, user: User) -> None:
    anime = factories.anime()
    factories.rating(user, anime)
    for _ in range(2):
        response = member.post(f"/anime/{anime.pk}/rate/", {"score": ""}, headers=HTMX)
        assert json.loads(response["HX-Trigger"])["ratings-changed"]["score"] is None
    assert not user.ratings.exists()


@pytest.mark.parametrize("score", ["0", "11", "-3", "x", "7.5", "9" * 40, "\x00", "<b>"])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_bad_score_changes_nothing_and_says_why(member: Client, score: str, headers: dict[str, str]) -> None:
    anime = factories.anime()
    response = member.post(f"/anime/{anime.pk}/rate/", {"score": score}, headers=headers)
    assert response.status_code == 400
    assert "A score is a whole number from 1 to 10." in response.text
    assert not Rating.objects.exists()


def test_a_bad_status_changes_nothing_and_says_why(member: Client) -> None:
    anime = factories.anime()
    response = member.post(f"/anime/{anime.pk}/status/", {"status": "someday"})
    assert response.status_code == 400
    assert "This list status is not known." in response.text
    assert not ListEntry.objects.exists()


@pytest.mark.parametrize("name", ["rate", "list-status"])
def test_a_post_that_says_nothing_takes_nothing_back(member: Client, user: User, name: str) -> None:
    anime = factories.anime()
    factories.rating(user, anime)
    factories.list_entry(user, anime)
    response = member.post(reverse(name, args=[anime.pk]), {"next": "/"})
    assert response.status_code == 400
    assert " was chosen." in response.text
    assert (user.ratings.count(), user.list_entries.count()) == (1, 1)


def test_lists_take_and_give_back(member: Client, user: User) -> None:
    anime = factories.anime()
    address = f"/anime/{anime.pk}/status/"
    member.post(address, {"status": "plan_to_watch"})
    response = member.post(address, {"status": "watching"}, headers=HTMX)
    assert user.list_entries.get().status == "watching"
    assert '<input type="hidden" name="status" value="plan_to_watch">' in response.text
    member.post(address, {"status": ""})
    assert not user.list_entries.exists()


@pytest.mark.parametrize("name", ["rate", "list-status"])
def test_writing_takes_a_post(member: Client, name: str) -> None:
    assert member.get(reverse(name, args=[factories.anime().pk])).status_code == 405


def test_a_form_without_its_token_is_offered_again(user: User) -> None:
    anime = factories.anime()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    response = browser.post(f"/anime/{anime.pk}/rate/", {"score": "9", "next": "/"})
    assert response.status_code == 403
    assert "Save my rating of 9" in response.text
    assert not Rating.objects.exists()
    token = response.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    browser.post(f"/anime/{anime.pk}/rate/", {"score": "9", "csrfmiddlewaretoken": token})
    assert user.ratings.get().score == 9


# Without an account


def test_what_a_visitor_says_moves_into_the_account_they_make(client: Client) -> None:
    one, two = factories.anime(), factories.anime()
    client.post(f"/anime/{one.pk}/rate/", {"score": "9"})
    client.post(f"/anime/{two.pk}/status/", {"status": "plan_to_watch"})
    assert 'value="9" aria-pressed="true"' in client.get(one.get_absolute_url()).text
    response = client.post(
        "/accounts/signup/", {"username": "mika", "email": "mika@example.com", "password1": "Tr0ub4dor&3x"}, follow=True
    )
    assert "Your ratings and list entries of 2 anime are saved in your account." in response.text
    mika = User.objects.get(username="mika")
    assert [(rating.anime_id, rating.score) for rating in mika.ratings.all()] == [(one.pk, 9)]
    assert [(entry.anime_id, entry.status) for entry in mika.list_entries.all()] == [(two.pk, "plan_to_watch")]
    assert not VisitorEntry.objects.exists()


def test_at_log_in_the_latest_word_counts_and_the_rest_stays(client: Client, user: User) -> None:
    user.set_password("Tr0ub4dor&3x")
    user.save()
    said_again, kept = factories.anime(), factories.anime()
    factories.rating(user, said_again, 2)
    factories.rating(user, kept, 5)
    client.post(f"/anime/{said_again.pk}/rate/", {"score": "9"})
    client.post("/accounts/login/", {"login": user.username, "password": "Tr0ub4dor&3x"})
    assert dict(user.ratings.values_list("anime_id", "score")) == {said_again.pk: 9, kept.pk: 5}


def test_a_visit_holds_only_so_much(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "MAX_VISITOR_ANIME", 2)
    first, second, third = (factories.anime() for _ in range(3))
    for anime in (first, second):
        client.post(f"/anime/{anime.pk}/rate/", {"score": "5"})
    assert client.post(f"/anime/{first.pk}/rate/", {"score": "6"}, headers=HTMX).status_code == 200
    response = client.post(f"/anime/{third.pk}/rate/", {"score": "5"}, headers=HTMX)
    assert response.status_code == 400
    assert "Sign up to rate more" in response.text


@pytest.mark.parametrize("address", ["/me/ratings/", "/me/settings/"])
def test_my_pages_are_for_who_is_signed_in(client: Client, address: str) -> None:
    response = client.get(address)
    assert response["Location"] == f"/accounts/login/?next={address}"


# My pages


def test_my_ratings_are_mine_and_sorted(member: Client, user: User) -> None:
    low, high = factories.anime("B low"), factories.anime("A high")
    factories.rating(user, high, 10)
    factories.rating(user, low, 3)
    factories.rating(factories.user(), factories.anime("Not mine"), 7)
    assert names(member.get("/me/ratings/")) == ["B low", "A high"]
    assert names(member.get("/me/ratings/?sort=score")) == ["A high", "B low"]
    assert names(member.get("/me/ratings/?sort=title")) == ["A high", "B low"]
    assert names(member.get("/me/ratings/?sort=nonsense&show=nonsense&page=x")) == ["B low", "A high"]


def test_my_lists_are_told_apart(member: Client, user: User) -> None:
    planned, dropped = factories.anime("Planned"), factories.anime("Dropped")
    factories.list_entry(user, planned)
    factories.list_entry(user, dropped, ListStatus.DROPPED)
    factories.rating(user, dropped, 2)
    assert names(member.get("/me/ratings/?show=plan_to_watch")) == ["Planned"]
    response = member.get("/me/ratings/?show=dropped&sort=score")
    assert names(response) == ["Dropped"]
    assert 'value="2" aria-pressed="true"' in response.text


def test_an_empty_page_of_mine_says_what_to_do(member: Client) -> None:
    assert "You have not rated anything yet" in member.get("/me/ratings/").text
    assert "This list is empty" in member.get("/me/ratings/?show=dropped").text


# Accounts


def test_a_forgotten_password_is_reset_by_mail(client: Client, user: User) -> None:
    client.post("/accounts/password/reset/", {"email": user.email})
    [message] = mail.outbox
    link = next(word for word in message.body.split() if "/accounts/password/reset/key/" in word)
    form = client.get(link.removeprefix("http://testserver"), follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": "Tr0ub4dor&3x", "password2": "Tr0ub4dor&3x"})
    user.refresh_from_db()
    assert user.check_password("Tr0ub4dor&3x")


@pytest.mark.parametrize("address", ["login/", "signup/", "password/reset/", "password/reset/done/"])
def test_account_pages_wear_our_clothes(client: Client, address: str) -> None:
    response = client.get(f"/accounts/{address}")
    assert response.status_code == 200
    assert 'class="site-header"' in response.text


def test_my_ratings_are_found_by_title_in_either_language(member: Client, user: User) -> None:
    factories.rating(user, factories.anime("Cowboy Bebop", japanese_name="カウボーイビバップ"), 9)
    factories.rating(user, factories.anime("Trigun"), 9)
    assert names(member.get("/me/ratings/?q=bebop")) == ["Cowboy Bebop"]
    assert names(member.get("/me/ratings/", {"q": "ビバップ"})) == ["Cowboy Bebop"]
    nothing = member.get("/me/ratings/?q=zz%25")
    assert "Nothing fits" in nothing.text
    assert 'value="zz%"' in nothing.text


def test_my_ratings_and_lists_are_narrowed_by_genre_and_type(member: Client, user: User) -> None:
    film = factories.anime("Film", type="Movie", genres=("Drama", "Comedy"))
    for anime in (film, factories.anime("Series", type="TV", genres=("Drama",))):
        factories.rating(user, anime, 9)
        factories.list_entry(user, anime)
    for show in ("", "plan_to_watch"):
        assert names(member.get("/me/ratings/", {"show": show, "genre": "comedy"})) == ["Film"]
        assert names(member.get("/me/ratings/", {"show": show, "type": "TV", "genre": "drama"})) == ["Series"]
    odd = member.get("/me/ratings/?genre=nope&type=Movie&q=%00")
    assert names(odd) == ["Film"]
    assert "not understood: Title, Genre." in odd.text


# Every page


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/recommendations/",
        "/anime/",
        "/anime/?q=shelf&genre=action&sort=title",
        "/anime/?q=nothing-of-the-kind",
        "/anime/{anime}/",
        "/anime/{anime}/similar/",
        "/me/ratings/",
        "/me/ratings/?show=plan_to_watch",
        "/me/ratings/?q=shelf&genre=action&type=TV&sort=title",
        "/anime/?q=shelf&decade=2010&score=5",
        "/me/settings/",
        "/me/taste/",
        "/me/data/",
        "/me/delete/",
        "/recommendations/?genre=action&novelty=50&diversity=50&sequels=on",
        "/recommendations/rows/",
    ],
)
@pytest.mark.parametrize("rated", [3, 20])
def test_no_page_asks_the_database_more_than_eight_times(
    member: Client,
    user: User,
    shelf: None,
    artifacts_dir: object,
    address: str,
    rated: int,
) -> None:
    rows = list(Anime.objects.order_by("pk"))
    factories.published_model({anime.pk: [1.0, i / 40] for i, anime in enumerate(rows)})
    for anime in rows[:rated]:
        factories.rating(user, anime)
    for anime in rows[20:30]:
        factories.list_entry(user, anime)
    path = address.format(anime=rows[0].pk)
    anime_arrays.forget()  # a process that has just begun reads all that it keeps, too
    search.forget()
    with at_most(MOST_QUERIES):
        response = member.get(path)
    assert response.status_code == 200
    assert response["Content-Security-Policy"]
    for forbidden in ("style=", " onclick", "<style", "hx-on"):
        assert forbidden not in response.text


@pytest.mark.parametrize("address", ["/", "/anime/", "/accounts/signup/"])
def test_a_first_visit_transfers_less_than_100_kilobytes(client: Client, shelf: None, address: str) -> None:
    html = client.get(address).text
    files = re.findall(r'<(?:script src|link rel="stylesheet" href)="/static/([^"]+)"', html)
    assert len(files) == 3
    texts = [html.encode(), *(Path(str(finders.find(name))).read_bytes() for name in files)]
    assert sum(len(gzip.compress(text)) for text in texts) < 100_000


def test_a_theme_that_was_chosen_is_there_before_the_first_paint(client: Client) -> None:
    assert "data-theme" not in client.get("/anime/").text.split("<body")[0]
    client.cookies["theme"] = "dark"
    assert '<html lang="en" data-theme="dark">' in client.get("/anime/").text
    client.cookies["theme"] = '"><script>'
    assert "data-theme=" not in client.get("/anime/").text.split("<body")[0]
