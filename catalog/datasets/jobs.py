"""Data sets that staff have loaded by a worker: asked for, loaded by one worker at a time, found again when it dies.

A worker locks the job's row for as long as it loads: PostgreSQL frees the lock the moment the worker dies, and takes
back what it had written.
"""

import logging
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from catalog import tasks
from catalog.datasets import demo
from catalog.datasets.errors import Rejects
from catalog.datasets.kaggle import download
from catalog.datasets.load import contents_of, is_loaded, load, refuse_beside_real
from catalog.datasets.models import ImportJob
from catalog.datasets.source import Source
from catalog.models import User
from common import audit

logger = logging.getLogger(__name__)

DEMO, KAGGLE = "demo", "kaggle"
State = ImportJob.State
#: A job that was only just asked for has its message on the way.
GRACE = timedelta(seconds=30)


def available() -> list[str]:
    """What can be loaded: the folders and zip files in DATASETS_DIR by name, and what needs no file."""
    folder: Path = settings.DATASETS_DIR
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [name for name in there if not name.startswith(".")] + [DEMO, KAGGLE]


@transaction.atomic
def request_import(*, source: str, name: str, started_by: User, replace: bool = False) -> ImportJob:
    """Have a worker load `source` as the data set `name`; with `replace` also when that leaves much less of it.

    Raises:
        ValidationError: there is no such source, by field.
    """
    if source not in (there := available()):
        known = ", ".join(there)
        problem = ValidationError("There is no such source. There are: %(known)s.", params={"known": known})
        raise ValidationError({"source": problem})
    job = ImportJob.objects.create(source=source, name=name, replace=replace, started_by=started_by)
    audit.record("importjob.launch", job, source=source, name=name, replace=replace)
    transaction.on_commit(lambda: tasks.send_import(job.pk))
    return job


def execute(job_id: int) -> None:
    """Load what a job asks for. Does nothing when it has ended or another worker holds it.

    A database that went away leaves the job as it is, to be sent again.
    """
    ImportJob.objects.filter(pk=job_id, state=State.QUEUED).update(state=State.RUNNING, started_at=timezone.now())
    running = ImportJob.objects.filter(pk=job_id, state=State.RUNNING)
    try:
        with transaction.atomic():
            job = running.select_for_update(skip_locked=True).first()
            if job is None:
                logger.info("Import %s has ended, or is in another worker's hands.", job_id)
                return
            job.report = _load(job)
            job.state, job.finished_at = State.DONE, timezone.now()
            job.save(update_fields=["report", "state", "finished_at"])
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("Import %s failed", job_id)
        said = str(error) or type(error).__name__
        running.update(state=State.FAILED, error=said, finished_at=timezone.now())


@transaction.atomic
def interrupted() -> list[int]:
    """The jobs that no worker holds, though they have not ended."""
    old = ImportJob.objects.filter(state__in=[State.QUEUED, State.RUNNING], created_at__lt=timezone.now() - GRACE)
    return [job.pk for job in old.select_for_update(skip_locked=True)]


def _load(job: ImportJob) -> dict[str, Any] | None:
    """What the load did, in numbers; None when the files hold nothing new. Raises DatasetError."""
    if job.source == DEMO:
        if is_loaded(demo.NAME, demo.fingerprint()):
            return None
        refuse_beside_real()
        return asdict(load(demo.contents(), may_shrink=job.replace))
    source = Source(download() if job.source == KAGGLE else settings.DATASETS_DIR / job.source)
    fingerprint = source.fingerprint()
    if is_loaded(job.name, fingerprint):
        return None
    with contents_of(source, job.name, fingerprint, Rejects()) as contents:
        return asdict(load(contents, may_shrink=job.replace))
