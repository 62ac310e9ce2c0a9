"""The main job with real processes: ratings in the database, a Celery worker, a published model, a personal list."""

from pathlib import Path

import pytest

from catalog.models import Anime, User
from common import locks
from recommender import tasks
from recommender.engine.artifact import load_artifact
from recommender.models import TrainingRun
from recommender.runs import services
from recommender.serving import lists
from tests import factories, processes

pytestmark = [
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("artifacts_dir"),
]
S = TrainingRun.State
CONFIG = {"factors": 8, "epochs": 6, "batch_size": 64}


def launch(**fields: object) -> TrainingRun:
    run = services.launch_training(started_by=None, family=TrainingRun.Family.PAPER, config={**CONFIG, **fields})
    assert run.state == S.QUEUED
    return run


def state(run: TrainingRun) -> str:
    run.refresh_from_db()
    return run.state


def test_a_worker_trains_and_publishes_and_the_site_serves_it(community: list[int], user: User, tmp_path: Path) -> None:
    run = launch()
    log = tmp_path / "worker.log"
    with processes.celery_worker(log):
        processes.wait_until(lambda: state(run) in (S.PUBLISHED, S.FAILED), log)
    assert (run.error, state(run)) == ("", S.PUBLISHED)
    assert [entry["epoch"] for entry in run.losses] == [1, 2, 3, 4, 5, 6]
    assert run.progress == 1
    assert run.metrics["validation_mse"] > 0
    assert run.data_fingerprint
    assert not run.checkpoint_path.exists()
    assert set(load_artifact(run.artifact_path, verify=True).arrays["item_ids"]) <= set(community)

    space = [Anime.objects.get(pk=i) for i in community[:3]]
    for anime in space:
        factories.rating(user, anime, 10)
    result = lists.recommend(user, k=10)
    assert (result.path, result.model_version) == ("unseen", run.version)
    assert not {anime.pk for anime in space} & {item.anime_id for item in result.items}


def test_the_history_model_is_trained_published_and_served(community: list[int], user: User, tmp_path: Path) -> None:
    run = services.launch_training(
        started_by=None, family=TrainingRun.Family.HISTORY, config={"factors": 8, "epochs": 3, "steps_per_epoch": 4}
    )
    log = tmp_path / "worker.log"
    with processes.celery_worker(log):
        processes.wait_until(lambda: state(run) in (S.PUBLISHED, S.FAILED), log)
    assert (run.error, run.state) == ("", S.PUBLISHED)
    assert [entry["epoch"] for entry in run.losses] == [1, 2, 3]

    assert lists.recommend(user).path == "cold_start"
    space, school = set(community[:20]), set(community[20:])
    rated = [Anime.objects.get(pk=i) for i in community[:3]]
    for anime in rated:
        factories.rating(user, anime, 9)
    result = lists.recommend(user, k=5)
    assert (result.path, result.method, result.model_version) == ("unseen", "two_tower", run.version)
    assert {item.anime_id for item in result.items} <= space - {anime.pk for anime in rated}
    assert all(1 <= (item.predicted_rating or 0) <= 10 for item in result.items)
    assert all(set(item.because) <= {anime.pk for anime in rated} for item in result.items)
    assert any(item.because for item in result.items)
    with pytest.raises(lists.MethodUnavailable, match="paper's family"):
        lists.recommend(user, method="weighted_average")

    watcher = factories.user()
    factories.list_entry(watcher, Anime.objects.get(pk=community[20]), "completed")
    seen = lists.recommend(watcher, k=5)
    assert {item.anime_id for item in seen.items} <= school
    assert [item.predicted_rating for item in seen.items] == [None] * 5
    assert set(lists.similar(community[25], k=5)) <= school


@pytest.mark.parametrize("family", TrainingRun.Family.values)
def test_a_killed_worker_loses_no_finished_epoch(community: list[int], tmp_path: Path, family: str) -> None:
    config = CONFIG if family == TrainingRun.Family.PAPER else {"factors": 8, "steps_per_epoch": 4}
    run = services.launch_training(started_by=None, family=family, config={**config, "epochs": 60})
    log = tmp_path / "worker.log"
    with processes.celery_worker(log) as worker:
        processes.wait_until(lambda: state(run) == S.RUNNING and len(run.losses) >= 3, log)
        processes.kill(worker)
    assert state(run) == S.RUNNING
    before = run.losses
    factories.member({community[0]: 1, community[1]: 2})  # what is rated meanwhile does not start it afresh

    processes.wait_until(lambda: not locks.is_held(run.pk))  # the database has noticed
    tasks.resume_interrupted_runs()
    with processes.celery_worker(log):
        processes.wait_until(lambda: state(run) in (S.PUBLISHED, S.FAILED), log)
    assert run.error == ""
    assert run.losses[: len(before)] == before
    assert [entry["epoch"] for entry in run.losses] == list(range(1, 61))
    assert TrainingRun.objects.published().get() == run


def test_a_worker_told_to_stop_ends_its_epoch_and_puts_the_run_back(community: list[int], tmp_path: Path) -> None:
    run = services.launch_training(
        started_by=None, family=TrainingRun.Family.HISTORY, config={"factors": 8, "epochs": 300, "steps_per_epoch": 4}
    )
    log = tmp_path / "worker.log"
    with processes.celery_worker(log) as worker:
        processes.wait_until(lambda: state(run) == S.RUNNING and len(run.losses) >= 2, log)
        worker.terminate()
        assert worker.wait(timeout=processes.DEADLINE_S) == 0
    assert (state(run), run.phase) == (S.QUEUED, run.Phase.WAITING)
    before = run.losses
    assert len(before) < 300
    with processes.celery_worker(log):
        processes.wait_until(lambda: state(run) in (S.PUBLISHED, S.FAILED), log)
    assert run.error == ""
    assert run.losses[: len(before)] == before
    assert [entry["epoch"] for entry in run.losses] == list(range(1, 301))
    messages = "\n".join(run.log.values_list("message", flat=True))
    assert f"stopped after epoch {len(before)} of 300" in messages
    assert f"Going on from the checkpoint of epoch {len(before)}" in messages


def test_a_run_without_ratings_fails_with_a_reason_and_leaves_the_published_model(db: None, tmp_path: Path) -> None:
    published = factories.published_model({1: [1.0], 2: [0.5]})
    run = launch()
    log = tmp_path / "worker.log"
    with processes.celery_worker(log):
        processes.wait_until(lambda: state(run) in (S.PUBLISHED, S.FAILED), log)
    assert run.state == S.FAILED
    assert "rating" in run.error
    assert "Unexpected" not in run.error
    assert TrainingRun.objects.published().get() == published


def test_cancelling_ends_a_running_training_within_an_epoch(community: list[int], tmp_path: Path) -> None:
    run = launch(epochs=1000)
    log = tmp_path / "worker.log"
    with processes.celery_worker(log):
        processes.wait_until(lambda: state(run) == S.RUNNING and run.losses, log)
        services.cancel(run)
        processes.wait_until(lambda: state(run) == S.CANCELLED, log)
    assert not TrainingRun.objects.published().exists()
    assert not run.checkpoint_path.exists()
