"""Celery tasks of the catalogue: thin callers of the functions that do the work."""

from typing import Any

from celery import shared_task

from common import queue

#: The next message comes before this one is worthless.
RESENT_MESSAGE_EXPIRES_S = 120


@shared_task(soft_time_limit=3600, time_limit=3660)
def import_dataset(job_id: int) -> None:
    """Load a data set. Safe to send twice: one worker holds a job, and one that has ended stays."""
    from catalog.datasets import jobs

    jobs.execute(job_id)


def send_import(job_id: int, **options: Any) -> None:
    """Have a worker load a data set. While Valkey is away nothing is sent, and `resume_interrupted_imports` does it."""
    queue.send(f"Import {job_id}", lambda: import_dataset.apply_async((job_id,), **options))


@shared_task
def resume_interrupted_imports() -> None:
    """Send again what no worker holds: a killed worker's import, or one whose message was lost."""
    from catalog.datasets import jobs

    for job_id in jobs.interrupted():
        send_import(job_id, expires=RESENT_MESSAGE_EXPIRES_S)
