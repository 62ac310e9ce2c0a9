"""Workers, disks and servers that fail in the middle of a training: nothing is lost, published twice, or stuck."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from django.db import connection

from common import locks
from recommender import tasks
from recommender.engine import checkpoints
from recommender.engine.artifact import load_artifact
from recommender.models import TrainingRun
from recommender.runs import services
from tests import factories, processes

pytestmark = [
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("artifacts_dir"),
]
S, Phase = TrainingRun.State, TrainingRun.Phase
CONFIG = {"factors": 8, "epochs": 6, "batch_size": 64}
ENDED = (S.PUBLISHED, S.READY, S.FAILED, S.CANCELLED)


def launch(**settings: object) -> TrainingRun:
    return services.launch_training(started_by=None, family="paper", config={**CONFIG, **settings})


def state(run: TrainingRun) -> str:
    run.refresh_from_db()
    return run.state


@contextmanager
def blocked_at(phase: str) -> Iterator[Callable[[], bool]]:
    """Whoever brings a run to `phase` waits in the middle of that; yields whether somebody does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION test_block() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock(77, 1); RETURN NEW; END'"
        )
        cursor.execute(
            "CREATE TRIGGER test_block BEFORE UPDATE OF phase ON recommender_trainingrun FOR EACH ROW"
            f" WHEN (NEW.phase = '{phase}') EXECUTE FUNCTION test_block()"
        )
        cursor.execute("SELECT pg_advisory_lock(77, 1)")

    def is_waiting() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 77 AND NOT granted")
            return bool(cursor.fetchone()[0])

    try:
        yield is_waiting
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(77, 1)")
            cursor.execute("DROP TRIGGER test_block ON recommender_trainingrun")


def test_a_worker_killed_in_each_phase_leaves_a_run_that_goes_on(community: list[int], tmp_path: Path) -> None:
    """The same run, killed on its way into every phase, with what a crash leaves on the disk."""
    served = factories.published_model({1: [1.0], 2: [2.0]})
    run = launch()
    log = tmp_path / "worker.log"
    phases = [phase for phase in Phase.values if phase != Phase.WAITING]
    assert phases[0] == Phase.SNAPSHOT
    assert phases[-1] == Phase.DONE
    for phase in phases:
        with blocked_at(phase) as is_waiting, processes.celery_worker(log) as worker:
            processes.wait_until(is_waiting, log)
            processes.kill(worker)
        processes.wait_until(lambda: not locks.is_held(run.pk))
        assert state(run) in (S.RUNNING, S.EVALUATING, S.READY)
        assert TrainingRun.objects.published().get() == served
        if phase == Phase.CLUSTERING:  # the newest checkpoints are half written, and of another version
            epochs = run.checkpoint_path / "epochs"
            (epochs / "epoch-999998.npz").write_bytes(b"PK\3\4 half")
            np.savez(epochs / "epoch-999999.npz", meta=np.array(f'{{"format": {checkpoints.FORMAT_VERSION + 1}}}'))
        if phase == Phase.WRITING:  # a half-written artifact is where the whole one belongs
            run.artifact_path.mkdir()
            (run.artifact_path / "item_embeddings.npy").write_bytes(b"\x93NUMPY half")
        tasks.resume_interrupted_runs()
    with processes.celery_worker(log):
        processes.wait_until(lambda: state(run) in ENDED and not run.waits_to_publish_itself, log)
    # The gate has nothing to compare it with, because the model that is served kept nobody apart.
    assert (run.error, run.state) == ("", S.READY)
    assert "could not be measured" in run.waits_because
    assert TrainingRun.objects.published().get() == served
    assert [entry["epoch"] for entry in run.losses] == [1, 2, 3, 4, 5, 6]
    load_artifact(run.artifact_path, verify=True)
    assert {path.name for path in run.artifact_path.parent.iterdir()} <= {
        "checkpoints",
        str(run.key),
        str(served.key),
        *(path.name for path in run.artifact_path.parent.glob(".*")),  # `clean_up` deletes them once they are old
    }
    assert not run.checkpoint_path.exists()
    messages = "\n".join(run.log.values_list("message", flat=True))
    assert "Passing over the damaged checkpoint" in messages
    assert "Passing over the checkpoint" in messages


def test_a_full_disk_fails_the_run_with_a_reason_and_nothing_else(community: list[int], tmp_path: Path) -> None:
    """No file may grow past 300 bytes from the moment the artifact is written, as on a disk without space."""
    served = factories.published_model({1: [1.0], 2: [2.0]})
    run = launch()
    log = tmp_path / "worker.log"
    with processes.celery_worker(log) as worker:
        with blocked_at(Phase.WRITING) as is_waiting:
            processes.wait_until(is_waiting, log)
            children = psutil.Process(worker.pid).children(recursive=True)
            limit_files(children, 300)
        processes.wait_until(lambda: state(run) in ENDED, log)
        assert run.state == S.FAILED
        assert "File too large" in run.error
        assert not run.artifact_path.exists()
        assert not run.checkpoint_path.exists()
        assert list(run.artifact_path.parent.glob(f".{run.key}*")) == []
        assert TrainingRun.objects.published().get() == served
        limit_files(children, resource.RLIM_INFINITY)  # somebody made space
        after = launch()
        processes.wait_until(lambda: state(after) in ENDED and not after.waits_to_publish_itself, log)
    assert (after.error, after.state) == ("", S.READY)
    load_artifact(after.artifact_path, verify=True)


def limit_files(processes: list[psutil.Process], size: int) -> None:
    for process in processes:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_two_workers_that_take_one_run_make_one_model_of_it(community: list[int], tmp_path: Path) -> None:
    """Both get a message for it; a third message is late, as after a clock that jumped, and is not missed."""
    run = launch(epochs=40)
    tasks.enqueue(run)
    tasks.enqueue(run, expires_s=-3600)
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    with processes.celery_worker(logs[0], "first"), processes.celery_worker(logs[1], "second"):
        processes.wait_until(lambda: state(run) in ENDED and not run.waits_to_publish_itself, logs[0])
        texts = ""

        def both_are_done() -> bool:
            nonlocal texts
            texts = "".join(log.read_text() for log in logs)
            return texts.count("recommender.tasks.train") >= 4 and "in another worker's hands" in texts

        processes.wait_until(both_are_done, logs[1])
    assert (run.error, run.state) == ("", S.PUBLISHED)
    assert [entry["epoch"] for entry in run.losses] == list(range(1, 41))
    assert texts.count(f"Training of {run} begins") == 1
    assert texts.count(f"{run} is published") == 1


def test_a_training_outlives_a_restart_of_valkey_and_of_postgresql(tmp_path: Path) -> None:
    """On servers of its own, because all other tests use the shared ones."""
    script = (
        "import tests.environment, django; django.setup()\n"
        "from tests.recommender.runs import servers_scenario; servers_scenario.main()"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment.pop("PYTEST_XDIST_WORKER", None)
    environment |= {"VAR_DIR": str(tmp_path / "var"), "DJANGO_SETTINGS_MODULE": "recsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=processes.BASE_DIR, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert done.stdout.endswith("one result\n")
