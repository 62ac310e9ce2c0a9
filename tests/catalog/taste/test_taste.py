"""My taste: what is counted, and the page that draws it."""

from datetime import date

import pytest
from django.test import Client

from catalog.models import ADULT_GENRE, ListStatus, User
from catalog.taste.profile import ENOUGH, taste_of, watched_by
from common import small_charts
from tests import factories

pytestmark = pytest.mark.django_db


def rate_some(user: User) -> None:
    for i, score in enumerate((10, 9, 8, 5, 2)):
        anime = factories.anime(
            f"Taste {i}",
            genres=("Mecha", "Cars") if i < 2 else ("Drama", "Lonely" if i == 2 else "Drama"),
            score=8.0 if i != 4 else 7.5,
            aired_from=date(1988 if i < 2 else 2004, 1, 1),
        )
        factories.rating(user, anime, score)


def test_genres_eras_and_leaning_are_those_of_the_ratings(user: User) -> None:
    rate_some(user)
    hidden = factories.anime(genres=(ADULT_GENRE,))
    factories.rating(user, hidden, 1)
    taste = taste_of(user)
    assert taste is not None
    assert (taste.rated, taste.mean) == (5, 6.8)
    assert taste.lean == pytest.approx(6.8 - 7.9)
    assert taste.counts == (0, 1, 0, 0, 1, 0, 0, 1, 1, 1)
    assert [(g.name, g.rated, g.mean) for g in taste.genres] == [("Cars", 2, 9.5), ("Mecha", 2, 9.5), ("Drama", 3, 5.0)]
    assert taste.genres[2].community == pytest.approx((8 + 8 + 7.5) / 3)
    assert taste.eras == [(1980, 2), (1990, 0), (2000, 3)]
    assert [one.anime.name for one in taste.above] == ["Taste 0", "Taste 1"]
    assert [one.anime.name for one in taste.below] == ["Taste 4", "Taste 3"]


def test_few_ratings_have_no_picture(client: Client, user: User) -> None:
    for _ in range(ENOUGH - 1):
        factories.rating(user, factories.anime())
    assert taste_of(user) is None
    client.force_login(user)
    assert "Not much to draw yet" in client.get("/me/taste/").text


def test_episodes_are_those_of_what_is_completed(user: User) -> None:
    factories.list_entry(user, factories.anime(episodes=26), ListStatus.COMPLETED)
    factories.list_entry(user, factories.anime(episodes=None), ListStatus.COMPLETED)
    factories.list_entry(user, factories.anime(episodes=100), ListStatus.DROPPED)
    assert watched_by(user).episodes == 27
    assert watched_by(user).by_status == {"completed": 2, "dropped": 1}


def test_the_page_draws_all_three(client: Client, user: User) -> None:
    rate_some(user)
    factories.rating(user, factories.anime(genres=("<b>Odd</b>", "Mecha"), aired_from=None), 7)
    client.force_login(user)
    page = client.get("/me/taste/").text
    assert page.count('<svg class="chart"') == 3
    assert "<b>Odd" not in page
    assert "Taste 4" in page


def test_dates_nobody_knows_draw_no_eras(client: Client, user: User) -> None:
    for _ in range(ENOUGH):
        factories.rating(user, factories.anime(genres=(), aired_from=None, score=None), 7)
    client.force_login(user)
    assert client.get("/me/taste/").text.count('<svg class="chart"') == 1


def test_small_charts_refuse_what_they_cannot_draw() -> None:
    with pytest.raises(ValueError, match="a share for each"):
        small_charts.columns("c", ["1", "2"], [1.0])
    with pytest.raises(ValueError, match="one above 0"):
        small_charts.columns("c", ["1"], [0.0])
    with pytest.raises(ValueError, match="nothing to draw"):
        small_charts.rows("c", [], low=1, high=10)
