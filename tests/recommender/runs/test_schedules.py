"""What beat starts, and that asking twice, even at once, trains once."""

import json
import threading
from datetime import timedelta
from importlib import import_module
from inspect import signature

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from catalog import services
from catalog.models import ListStatus
from recommender.models import TrainingRun
from recommender.runs import schedules
from recsite.celery import app
from tests import factories

S, Cause = TrainingRun.State, TrainingRun.Cause
LONG_AGO = timedelta(days=2)


def trained_before(ago: timedelta = LONG_AGO, state: str = S.RETIRED) -> TrainingRun:
    run = TrainingRun.objects.create(state=state, error="broke" if state == S.FAILED else "")
    TrainingRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - ago)
    return run


def rate(count: int) -> None:
    """That many ratings, each of another account."""
    for _ in range(count):
        factories.rating(factories.user(), factories.anime())


@pytest.mark.django_db
def test_schedules_are_rows_of_tasks_that_there_are_with_arguments_that_they_take() -> None:
    import_module("recommender.migrations.0003_schedules").create_schedules(apps, None)
    app.loader.import_default_modules()
    rows = {row.task: row for row in PeriodicTask.objects.exclude(name__startswith="celery.")}
    expected = {"retrain_nightly", "retrain_when_grown", "refresh_popularity", "clean_up"}
    assert {f"recommender.tasks.{name}" for name in expected} | {"recsite.tasks.clear_expired"} <= rows.keys()
    for name, row in rows.items():
        assert row.enabled
        assert row.schedule
        signature(app.tasks[name].run).bind(**json.loads(row.kwargs))


@pytest.mark.django_db
def test_growth_counts_what_came_since_the_last_training() -> None:
    factories.dataset(interaction_count=90)
    assert (schedules.growth().new, schedules.growth().percent) == (90, 100)
    trained_before(-timedelta(minutes=1))
    trained_before(-LONG_AGO, state=S.FAILED)  # nothing was learnt there
    assert (schedules.growth().total, schedules.growth().new) == (90, 0)
    TrainingRun.objects.update(created_at=timezone.now())
    user = factories.user()
    factories.rating(user, factories.anime())
    factories.list_entry(user, factories.anime(), ListStatus.COMPLETED)
    factories.list_entry(user, factories.anime(), ListStatus.PLAN_TO_WATCH)
    grown = schedules.growth()
    assert (grown.total, grown.new) == (92, 2)
    assert grown.percent == pytest.approx(100 * 2 / 90)


@pytest.mark.django_db
def test_a_night_without_anything_new_trains_nothing() -> None:
    rate(1)
    assert schedules.retrain(Cause.NIGHTLY)
    TrainingRun.objects.update(state=S.RETIRED, created_at=timezone.now() + timedelta(hours=1))
    assert schedules.retrain(Cause.NIGHTLY) is None


@pytest.mark.django_db
@pytest.mark.parametrize(("least_new", "least_percent", "trains"), [(4, 300, True), (5, 400, True), (5, 401, False)])
def test_enough_is_a_number_or_a_share(least_new: int, least_percent: float, trains: bool) -> None:
    rate(1)
    trained_before(-timedelta(seconds=0))
    TrainingRun.objects.update(created_at=timezone.now())
    rate(4)
    run = schedules.retrain(Cause.GROWTH, least_new=least_new, least_percent=least_percent)
    assert (run is not None) == trains
    assert run is None or (run.cause, run.warm_start, run.publishes_itself) == (Cause.GROWTH, True, True)


@pytest.mark.django_db
def test_equal_ratings_and_statuses_sent_again_train_nothing() -> None:
    person = factories.user()
    anime = [factories.anime().pk for _ in range(3)]
    scores, statuses = dict.fromkeys(anime, 8), dict.fromkeys(anime, ListStatus.COMPLETED)
    services.keep(user=person, ratings=scores, statuses=statuses)
    trained_before(timedelta(0))
    for _ in range(3):
        services.keep(user=person, ratings=scores, statuses=statuses)
        services.write_many(user=person, ratings=scores, statuses=statuses)
        services.rate(user=person, anime_id=anime[0], score=8)
        services.set_status(user=person, anime_id=anime[0], status=ListStatus.COMPLETED)
    assert schedules.growth().new == 0
    assert schedules.retrain(Cause.NIGHTLY) is None
    services.rate(user=person, anime_id=anime[0], score=9)
    assert schedules.growth().new == 1


@pytest.mark.django_db
def test_one_account_that_changes_all_its_ratings_starts_no_training() -> None:
    many = [factories.anime() for _ in range(100)]
    trained_before(timedelta(0))
    person = factories.user()
    for anime in many:
        factories.rating(person, anime)
        factories.list_entry(person, anime, ListStatus.COMPLETED)
    assert schedules.growth().new == 200
    assert schedules.retrain(Cause.GROWTH, least_new=100, least_percent=5) is None
    for anime in many[:90]:
        factories.rating(factories.user(), anime)
    assert schedules.retrain(Cause.GROWTH, least_new=100), "ninety others and a share of this one are enough"


@pytest.mark.django_db
@pytest.mark.parametrize("state", [S.QUEUED, S.RUNNING])
def test_nothing_is_launched_while_a_training_is_on_its_way(state: str) -> None:
    trained_before(state=state)
    rate(3)
    assert schedules.retrain(Cause.NIGHTLY) is None


@pytest.mark.django_db
@pytest.mark.parametrize(("offset", "launches"), [(timedelta(minutes=-5), False), (timedelta(days=3), True)])
def test_the_same_request_again_is_passed_over_and_a_clock_that_was_wrong_is_not(
    offset: timedelta, launches: bool
) -> None:
    """The run of the same cause ended; its row says that it was launched a moment ago, or days from now."""
    TrainingRun.objects.create(state=S.FAILED, error="broke", cause=Cause.NIGHTLY)
    TrainingRun.objects.update(created_at=timezone.now() + offset)
    rate(1)
    assert (schedules.retrain(Cause.NIGHTLY) is not None) == launches


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_train_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.tasks.enqueue", lambda run: None)
    rate(2)
    start = threading.Barrier(4)
    launched: list[TrainingRun | None] = []

    def ask(cause: TrainingRun.Cause) -> None:
        start.wait()
        launched.append(schedules.retrain(cause))
        connection.close()

    threads = [threading.Thread(target=ask, args=[cause]) for cause in (Cause.NIGHTLY, Cause.GROWTH) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(launched) == 4
    assert sum(run is not None for run in launched) == 1
    assert TrainingRun.objects.count() == 1
