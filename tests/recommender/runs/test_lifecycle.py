"""Training runs move between states only as the rules allow, also when two movers race."""

import itertools
import threading

import pytest
from django.db import IntegrityError, connection, transaction

from common import locks
from recommender.models import TrainingRun
from recommender.runs import lifecycle

S = TrainingRun.State


def run_in(state: str) -> TrainingRun:
    return TrainingRun.objects.create(
        state=state,
        has_artifact=state in (S.EVALUATING, S.READY, S.PUBLISHED, S.RETIRED),
        error="broke" if state == S.FAILED else "",
    )


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "to"), list(itertools.product(S.values, S.values)))
def test_a_run_moves_exactly_where_the_rules_allow(start: str, to: str) -> None:
    run = run_in(start)
    if to in lifecycle.MOVES[start]:
        lifecycle.move(run, to, has_artifact=True, error="broke")
        run.refresh_from_db()
        assert run.state == to
    else:
        with pytest.raises(lifecycle.ImpossibleMove, match=f"Run {run.pk} is"):
            lifecycle.move(run, to, error="must not be written")
        run.refresh_from_db()
        assert (run.state, run.error) == (start, "broke" if start == S.FAILED else "")


@pytest.mark.django_db
def test_a_stale_copy_of_the_row_cannot_move_it_again() -> None:
    run = run_in(S.QUEUED)
    stale = TrainingRun.objects.get(pk=run.pk)
    lifecycle.move(run, S.CANCELLED)
    with pytest.raises(lifecycle.ImpossibleMove):
        lifecycle.move(stale, S.RUNNING)


@pytest.mark.django_db
def test_moves_stamp_the_times() -> None:
    run = run_in(S.QUEUED)
    lifecycle.move(run, S.RUNNING)
    assert run.started_at
    assert not run.finished_at
    lifecycle.move(run, S.EVALUATING, has_artifact=True)
    assert not run.finished_at
    lifecycle.move(run, S.READY)
    assert run.finished_at
    assert not run.published_at
    lifecycle.move(run, S.PUBLISHED)
    assert run.published_at


@pytest.mark.django_db
def test_publishing_retires_the_one_before() -> None:
    first, second = run_in(S.READY), run_in(S.READY)
    lifecycle.publish(first)
    lifecycle.publish(second)
    first.refresh_from_db()
    assert first.state == S.RETIRED
    assert TrainingRun.objects.published().get() == second


@pytest.mark.django_db
def test_a_failed_publish_leaves_the_published_model_alone() -> None:
    published, failed = run_in(S.PUBLISHED), run_in(S.FAILED)
    with pytest.raises(lifecycle.ImpossibleMove):
        lifecycle.publish(failed)
    assert TrainingRun.objects.published().get() == published


@pytest.mark.django_db
def test_the_database_admits_one_published_run() -> None:
    run_in(S.PUBLISHED)
    with pytest.raises(IntegrityError, match="training_run_one_published"), transaction.atomic():
        run_in(S.PUBLISHED)


@pytest.mark.django_db
def test_the_database_refuses_a_ready_run_without_a_model() -> None:
    with pytest.raises(IntegrityError, match="training_run_published_has_artifact"), transaction.atomic():
        TrainingRun.objects.create(state=S.READY)


@pytest.mark.django_db(transaction=True)
def test_two_publishers_at_once_leave_one_published_run() -> None:
    runs = [run_in(S.READY) for _ in range(4)]
    start = threading.Barrier(len(runs))
    refused: list[Exception] = []

    def publish(run: TrainingRun) -> None:
        start.wait()
        try:
            lifecycle.publish(run)
        except lifecycle.ImpossibleMove as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=publish, args=[run]) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert TrainingRun.objects.published().count() == 1
    done = TrainingRun.objects.filter(state__in=[S.PUBLISHED, S.RETIRED]).count()
    assert done == len(runs) - len(refused)


@pytest.mark.django_db(transaction=True)
def test_one_session_holds_a_run_and_its_end_frees_it() -> None:
    answers: list[bool] = []

    def try_it() -> None:
        with locks.held(7) as acquired:
            answers.append(acquired)
        connection.close()

    with locks.held(7) as acquired:
        assert acquired
        assert locks.is_held(7)
        assert not locks.is_held(8)
        other = threading.Thread(target=try_it)
        other.start()
        other.join()
    assert answers == [False]
    assert not locks.is_held(7)

    locks.try_acquire(7)
    connection.close()  # as the kernel does for a killed worker
    assert not locks.is_held(7)
