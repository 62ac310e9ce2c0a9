"""How a job of this application goes from queued to done or failed, in the hands of one worker at a time."""

import logging
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, models, transaction
from django.utils import timezone

from common import locks
from evaluation.models import Job

logger = logging.getLogger(__name__)

#: Advisory locks of jobs begin with this and the number of their model's table.
NAMESPACE = 7_240_100


def execute(job: Job, work: Callable[[Any], None], *, namespace: int) -> None:
    """Do `work`, which sets what the job is to keep, and save it; what goes wrong ends the job as failed.

    Returns at once when another worker holds the job, or when it is at its end. A database that went away leaves the
    job as it is, to be sent again.
    """
    with locks.held(job.pk, namespace) as acquired:
        if not acquired:
            logger.info("%s is in another worker's hands.", job)
            return
        if not _begin(job):
            return
        try:
            work(job)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.exception("%s failed", job)
            job.refresh_from_db()
            job.error = _explained(error)
            _end(job, Job.State.FAILED)
        else:
            _end(job, Job.State.DONE)


def step(job: Job, name: str) -> None:
    """Say what the job is at."""
    job.step = name[: Job._meta.get_field("step").max_length]
    job.save(update_fields=["step"])


def queue_again(job: Job) -> bool:
    """Put a job that has ended back to the queue; False when it has not ended."""
    with transaction.atomic():
        current = _locked(job)
        if current.is_active:
            return False
        current.state, current.error, current.step = Job.State.QUEUED, "", ""
        current.save(update_fields=["state", "error", "step"])
    return True


def _begin(job: Job) -> bool:
    with transaction.atomic():
        current = _locked(job)
        if not current.is_active:
            return False
        current.state, current.started_at, current.finished_at = Job.State.RUNNING, timezone.now(), None
        current.save(update_fields=["state", "started_at", "finished_at"])
    job.refresh_from_db()
    return True


def _end(job: Job, state: Job.State) -> None:
    job.state, job.step, job.finished_at = state, "", timezone.now()
    job.save()


def _locked(job: Job) -> Job:
    manager: models.Manager[Any] = type(job)._default_manager
    locked: Job = manager.select_for_update().get(pk=job.pk)
    return locked


def _explained(error: Exception) -> str:
    if isinstance(error, ValueError | OSError):
        return str(error) or type(error).__name__
    return f"Unexpected {type(error).__name__}: {error}. The worker's log has the details."
