"""Run by `test_faults` on servers of its own: both are restarted while a worker trains."""

import os
import signal

import psutil
from django.core.management import call_command
from django.db import connection

from common import locks
from recommender import tasks
from recommender.models import TrainingRun
from recommender.runs import services
from recsite.local import embedded
from recsite.local.embedded import keeper
from tests import factories, processes

EPOCHS = 400


def main() -> None:
    try:
        train_through_restarts()
    finally:
        connection.close()
        embedded.release()


def train_through_restarts() -> None:
    call_command("migrate", verbosity=0)
    anime = [factories.anime().pk for _ in range(12)]
    for number in range(30):
        factories.member({pk: 1 + (pk + number) % 10 for pk in anime[number % 4 :]})
    run = services.launch_training(
        started_by=None, family="paper", config={"factors": 4, "epochs": EPOCHS, "batch_size": 64, "clusters": 3}
    )
    log = embedded.var_dir() / "worker.log"
    with processes.celery_worker(log):
        wait_for_epoch(run, 3)
        restart("valkey", "valkey-server", signal.SIGKILL)
        wait_for_epoch(run, run.epoch + 5)
        restart("postgres", "postgres", signal.SIGINT)  # fast shutdown: it ends every session
        connection.close()
        before = len(TrainingRun.objects.get().losses)
        processes.wait_until(lambda: not locks.is_held(run.pk), log)

        def is_published() -> bool:
            if not locks.is_held(run.pk):
                tasks.resume_interrupted_runs()  # what beat does
            run.refresh_from_db()
            return run.state in (run.State.PUBLISHED, run.State.FAILED)

        processes.wait_until(is_published, log)
    assert (run.error, run.state) == ("", run.State.PUBLISHED), (run.error, run.state, run.waits_because)
    assert before < EPOCHS, "the training was over before PostgreSQL was restarted"
    assert [entry["epoch"] for entry in run.losses] == list(range(1, EPOCHS + 1))
    assert "Going on from the checkpoint" in "".join(run.log.values_list("message", flat=True))
    print("one result")


def wait_for_epoch(run: TrainingRun, epoch: int) -> None:
    def has_come() -> bool:
        run.refresh_from_db()
        return run.epoch >= epoch

    processes.wait_until(has_come)


def restart(name: str, program: str, number: signal.Signals) -> None:
    """End the server and start it again, as an operator would."""
    found = keeper.server_processes(embedded.var_dir() / name / "data", program)
    assert found, f"{name} does not run"
    found[0].send_signal(number)
    psutil.wait_procs(found, timeout=30)
    # A variable that is set stands for somebody else's server, which `ensure` leaves alone.
    address = os.environ.pop("REDIS_URL")
    assert embedded.ensure(durable=False), f"{name} was not started again"
    os.environ["REDIS_URL"] = address
