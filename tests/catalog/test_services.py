"""Ratings and lists, written: repeatable, raceable, and never of what one may not see."""

import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from catalog import services
from catalog.models import ADULT_GENRE, Anime, ListEntry, ListStatus, Rating, User
from tests import factories


@pytest.mark.django_db
def test_a_second_rating_replaces_the_first_and_moves_its_time(user: User) -> None:
    anime = factories.anime()
    first = services.rate(user=user, anime_id=anime.pk, score=6)
    second = services.rate(user=user, anime_id=anime.pk, score=9)
    [row] = Rating.objects.all()
    assert (row.score, row.pk, row.user, row.anime) == (9, second.pk, user, anime)
    assert first.pk == second.pk
    assert row.rated_at > first.rated_at


@pytest.mark.django_db
@pytest.mark.parametrize("score", [0, 11, -1, 10_000_000_000])
def test_a_score_outside_1_to_10_is_refused_by_name(user: User, score: int) -> None:
    anime = factories.anime()
    with pytest.raises(ValidationError) as error:
        services.rate(user=user, anime_id=anime.pk, score=score)
    assert error.value.message_dict == {"score": ["A score is a whole number from 1 to 10."]}
    assert not Rating.objects.exists()


@pytest.mark.django_db
def test_an_unknown_status_is_refused_by_name(user: User) -> None:
    anime = factories.anime()
    with pytest.raises(ValidationError) as error:
        services.set_status(user=user, anime_id=anime.pk, status="someday")
    assert "plan_to_watch" in error.value.message_dict["status"][0]
    assert not ListEntry.objects.exists()


@pytest.mark.django_db
def test_what_a_user_may_not_see_is_as_if_it_were_not_there(user: User) -> None:
    adult = factories.anime(genres=(ADULT_GENRE,))
    for call in (
        lambda: services.rate(user=user, anime_id=adult.pk, score=5),
        lambda: services.set_status(user=user, anime_id=adult.pk, status=ListStatus.COMPLETED),
        lambda: services.rate(user=user, anime_id=987_654, score=5),
    ):
        with pytest.raises(Anime.DoesNotExist):
            call()
    user.shows_adult = True
    user.save()
    assert services.rate(user=user, anime_id=adult.pk, score=5).score == 5


@pytest.mark.django_db
def test_taking_back_is_repeatable_and_touches_nobody_else(user: User) -> None:
    anime, other = factories.anime(), factories.user()
    for person in (user, other):
        services.rate(user=person, anime_id=anime.pk, score=7)
        services.set_status(user=person, anime_id=anime.pk, status=ListStatus.WATCHING)
    for _ in range(2):
        services.unrate(user=user, anime_id=anime.pk)
        services.clear_status(user=user, anime_id=anime.pk)
    assert [rating.user for rating in Rating.objects.all()] == [other]
    assert [entry.user for entry in ListEntry.objects.all()] == [other]


@pytest.mark.django_db
def test_keeping_a_visit_overwrites_and_leaves_out_what_is_hidden_or_gone(user: User) -> None:
    old, new, adult = factories.anime(), factories.anime(), factories.anime(genres=(ADULT_GENRE,))
    factories.rating(user, old, 3)
    kept = services.keep(
        user=user,
        ratings={old.pk: 8, new.pk: 9, adult.pk: 10, 987_654: 4},
        statuses={new.pk: ListStatus.COMPLETED},
    )
    assert kept == 2
    assert dict(user.ratings.values_list("anime_id", "score")) == {old.pk: 8, new.pk: 9}
    assert dict(user.list_entries.values_list("anime_id", "status")) == {new.pk: "completed"}


@pytest.mark.django_db(transaction=True)
def test_ratings_that_race_all_succeed_and_leave_one_row() -> None:
    user, anime = factories.user(), factories.anime()
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def rate(score: int) -> None:
        try:
            start.wait()
            services.rate(user=user, anime_id=anime.pk, score=score)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=rate, args=(score,)) for score in (2, 4, 6, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Rating.objects.get(user=user, anime=anime).score in (2, 4, 6, 8)
