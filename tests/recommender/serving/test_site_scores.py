"""The site's own ratings move the list for newcomers, once an hour."""

import pytest

from catalog.models import Anime, Rating
from recommender.models import SiteScore
from recommender.serving import lists, site_scores
from recommender.serving.anime_arrays import catalogue
from tests import factories

pytestmark = pytest.mark.django_db


def test_what_people_here_love_rises_when_the_scores_are_refreshed() -> None:
    first, second = factories.anime(score=7.5, members=6), factories.anime(score=7.0, members=6)
    fresh = factories.anime(score=None, members=0)
    newcomer = factories.user()

    def order() -> list[int]:
        listed = [item.anime_id for item in lists.recommend(newcomer, k=3).items]
        return [pk for pk in listed if pk != fresh.pk]

    assert order() == [first.pk, second.pk]
    for _ in range(20):
        factories.rating(factories.user(), second, 10)
    factories.rating(factories.user(), fresh, 4)
    assert order() == [first.pk, second.pk]
    assert site_scores.refresh() == 2
    assert order() == [second.pk, first.pk]
    scores = dict(zip(catalogue().ids.tolist(), catalogue().weighted_scores.tolist(), strict=True))
    assert 4 < scores[fresh.pk] < scores[second.pk]


def test_refreshing_touches_only_what_changed_and_forgets_what_was_taken_back() -> None:
    kept, taken_back = factories.anime(), factories.anime()
    for anime in (kept, taken_back):
        factories.rating(factories.user(), anime, 6)
    assert site_scores.refresh() == 2
    version = Anime.objects.version()
    assert site_scores.refresh() == 0
    assert Anime.objects.version() == version
    Rating.objects.filter(anime=taken_back).delete()
    assert site_scores.refresh() == 1
    assert list(SiteScore.objects.values_list("anime_id", "ratings", "mean")) == [(kept.pk, 1, 6.0)]
    assert Anime.objects.version() != version
