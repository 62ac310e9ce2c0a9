"""Pages are kept for visitors who have said nothing, and nothing of anybody is in them."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from catalog.models import Anime, User
from catalog.views import visitor_cache
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
Counter = Callable[..., AbstractContextManager[object]]
ADDRESSES = ["/", "/anime/", "/anime/{anime}/"]


@pytest.fixture
def anime() -> Anime:
    return factories.anime("Shown", japanese_name="表示")


def token(page: str) -> str:
    tokens = set(re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page))
    assert len(tokens) == 1
    return tokens.pop()


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_second_visitor_costs_one_query_and_can_post(
    anime: Anime, address: str, django_assert_num_queries: Counter
) -> None:
    path = address.format(anime=anime.pk)
    first = Client().get(path)
    second = Client(enforce_csrf_checks=True)
    with django_assert_num_queries(1):
        page = second.get(path)
    assert {"Cookie", "HX-Request", "Accept-Language"} <= {name.strip() for name in page["Vary"].split(",")}
    assert token(page.text) != token(first.text)
    answer = second.post(f"/anime/{anime.pk}/rate/", {"score": "9", "csrfmiddlewaretoken": token(page.text)})
    assert answer.status_code == 302
    assert "You rated Shown 9." in second.get(path).text


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_that_one_said_reaches_another(anime: Anime, user: User, address: str) -> None:
    path = address.format(anime=anime.pk)
    rater, member = Client(), Client()
    rater.post(f"/anime/{anime.pk}/rate/", {"score": "9"})
    member.force_login(user)
    assert "data-rated" in rater.get(path).text or address == "/"
    assert user.username in member.get(path).text
    other = Client().get(path).text
    assert "data-rated" not in other
    assert "You rated" not in other
    assert user.username not in other


def test_languages_and_themes_are_kept_apart(anime: Anime) -> None:
    path = f"/anime/{anime.pk}/"
    english, japanese = Client(), Client(headers={"Accept-Language": "ja"})
    assert "<h1>Shown</h1>" in english.get(path).text
    assert "<h1>表示</h1>" in japanese.get(path).text
    dark = Client()
    dark.cookies["theme"] = "dark"
    assert 'data-theme="dark"' in dark.get(path).text
    assert "data-theme" not in Client().get(path).text.split("<body")[0]


def test_a_change_of_the_catalogue_is_seen_at_once(anime: Anime) -> None:
    assert "Shown" in Client().get("/anime/").text
    anime.name = "Renamed"
    anime.save()
    assert "Renamed" in Client().get("/anime/").text
    anime.delete()
    assert "Renamed" not in Client().get("/anime/").text


def test_a_page_is_made_anew_by_another_version_of_the_site(
    anime: Anime, tmp_path: Path, settings: Settings, django_assert_num_queries: Counter
) -> None:
    (tmp_path / "catalog").mkdir()
    template = tmp_path / "catalog" / "page.html"
    template.write_text("old")
    settings.BASE_DIR = tmp_path
    visitor_cache.code_state.cache_clear()
    Client().get("/anime/")
    with django_assert_num_queries(1):
        Client().get("/anime/")
    template.write_text("newer")
    visitor_cache.code_state.cache_clear()
    with CaptureQueriesContext(connection) as queries:
        Client().get("/anime/")
    assert len(queries) > 1
    visitor_cache.code_state.cache_clear()
