"""What staff may ask for, and what is answered when it cannot be."""

import pytest
from django.core.exceptions import ValidationError

from common import locks
from recommender.models import RunLog, TrainingRun
from recommender.runs import lifecycle, services
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
S = TrainingRun.State


def test_a_configuration_the_engine_does_not_take_is_refused_by_name() -> None:
    refused: list[tuple[dict[str, object], str]] = [
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"epochs": "many"}, "epochs must be"),
        ({"learning_rate": float("nan")}, "learning_rate must be"),
        ({"momentum": 1}, "unknown setting 'momentum'"),
    ]
    for config, message in refused:
        with pytest.raises(ValidationError, match=message):
            services.launch_training(started_by=None, family="paper", config=config)
    assert not TrainingRun.objects.exists()


def test_the_task_is_sent_when_the_row_is_there_for_the_worker(
    django_capture_on_commit_callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[TrainingRun] = []
    monkeypatch.setattr("recommender.tasks.enqueue", sent.append)
    with django_capture_on_commit_callbacks(execute=True):
        run = services.launch_training(started_by=None)
        assert sent == []
    assert sent == [run]


def test_a_queued_run_is_cancelled_at_once_and_a_running_one_is_asked() -> None:
    queued = TrainingRun.objects.create()
    services.cancel(queued)
    queued.refresh_from_db()
    assert queued.state == S.CANCELLED
    running = TrainingRun.objects.create(state=S.RUNNING)
    with locks.held(running.pk):
        services.cancel(running)
    running.refresh_from_db()
    assert (running.state, running.cancel_requested) == (S.RUNNING, True)


@pytest.mark.parametrize("state", [S.RUNNING, S.EVALUATING])
def test_a_run_that_no_worker_trains_is_cancelled_at_once(state: str, django_capture_on_commit_callbacks) -> None:
    run = TrainingRun.objects.create(state=state, has_artifact=True)
    run.checkpoint_path.mkdir(parents=True)
    with django_capture_on_commit_callbacks(execute=True):
        services.cancel(run)
    run.refresh_from_db()
    assert run.state == S.CANCELLED
    assert not run.checkpoint_path.exists()


def test_a_run_is_deleted_with_its_files_unless_it_is_served_or_worked_on(django_capture_on_commit_callbacks) -> None:
    old, served = (factories.published_model({1: [1.0], 2: [2.0]}) for _ in range(2))
    old.refresh_from_db()
    RunLog.objects.create(run=old, level="INFO", message="begins")
    with django_capture_on_commit_callbacks(execute=True):
        services.delete(old)
    assert not old.artifact_path.exists()
    assert list(TrainingRun.objects.all()) == [served]
    assert not RunLog.objects.exists()
    for run in (served, TrainingRun.objects.create(), TrainingRun.objects.create(state=S.READY, has_artifact=True)):
        with pytest.raises(lifecycle.ImpossibleMove, match=f"{run} is"):
            services.delete(run)
    assert served.artifact_path.exists()


def test_a_ready_model_is_retired_and_the_served_one_is_not() -> None:
    served = factories.published_model({1: [1.0], 2: [2.0]})
    ready = TrainingRun.objects.create(state=S.READY, has_artifact=True)
    services.retire(ready)
    ready.refresh_from_db()
    assert (ready.state, ready.waits_to_publish_itself) == (S.RETIRED, False)
    with pytest.raises(lifecycle.ImpossibleMove, match="is served"):
        services.retire(served)
    assert TrainingRun.objects.published().get() == served


def test_a_model_with_a_changed_file_is_not_published() -> None:
    good = factories.published_model({1: [1.0], 2: [2.0]})
    bad = factories.published_model({1: [3.0], 2: [4.0]})
    services.roll_back()
    assert TrainingRun.objects.published().get() == good
    path = bad.artifact_path / "item_embeddings.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    bad.refresh_from_db()
    with pytest.raises(services.PublishError, match=r"item_embeddings\.npy"):
        services.publish(bad)
    assert TrainingRun.objects.published().get() == good


def test_rolling_back_without_a_model_before_says_so() -> None:
    factories.published_model({1: [1.0], 2: [2.0]})
    with pytest.raises(services.PublishError, match="No model was published before"):
        services.roll_back()
