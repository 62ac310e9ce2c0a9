"""Deletes the files of models that nobody will go back to."""

import logging
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction

from common import audit
from recommender.models import RunLog, TrainingRun
from recommender.runs import lifecycle

logger = logging.getLogger(__name__)

#: A directory of no run is left alone for this long: it may be one that is being written.
ORPHAN_AGE_S = 24 * 3600
_UNFINISHED = re.compile(r"\.([0-9a-f-]{36})\.")


@dataclass(frozen=True)
class Cleaned:
    """How many models and how many other directories went."""

    artifacts: int
    orphans: int


def clean_up(*, keep_last: int, keep_published: int) -> Cleaned:
    """Delete the files of all runs but the published one, those not at their end, the `keep_last` newest of each
    family, and the `keep_published` that were last published; and directories that belong to no run. The rows stay.

    Raises:
        ValueError: a number below 0.
    """
    for name, value in (("keep_last", keep_last), ("keep_published", keep_published)):
        if value < 0:
            raise ValueError(f"{name} must be 0 or more, not {value}")
    with_files = TrainingRun.objects.filter(has_artifact=True)
    newest = with_files.order_by("-pk").values_list("pk", flat=True)
    served = with_files.exclude(published_at=None).order_by("-published_at").values_list("pk", flat=True)
    kept = set(served[:keep_published])
    for family in TrainingRun.Family:
        kept |= set(newest.filter(family=family)[:keep_last])
    removed = sum(_drop_artifact(pk) for pk in with_files.exclude(pk__in=kept).values_list("pk", flat=True))
    return Cleaned(removed, sum(_drop_if_orphan(path) for path in _directories()))


def _drop_artifact(pk: int) -> bool:
    with transaction.atomic():
        run = TrainingRun.objects.select_for_update().get(pk=pk)
        if not run.is_disposable:
            return False
        if run.state == TrainingRun.State.READY:
            lifecycle.move(run, TrainingRun.State.RETIRED)
        run.has_artifact = False
        run.save(update_fields=["has_artifact"])
        RunLog.objects.create(run=run, level="INFO", message="The files of the model were cleaned up.")
        audit.record("trainingrun.clean_up", run)
    # After the commit: a row that promises files which are gone would be worse than files without a row.
    shutil.rmtree(run.artifact_path, ignore_errors=True)
    logger.info("Cleaned up the files of %s", run)
    return True


def _directories() -> list[Path]:
    root = Path(settings.ARTIFACTS_DIR)
    return [path for folder in (root, root / "checkpoints") if folder.is_dir() for path in folder.iterdir()]


def _drop_if_orphan(path: Path) -> bool:
    """Delete a directory that is named after a run as ours are, when no such run needs it."""
    unfinished = _UNFINISHED.match(path.name)
    try:
        key = UUID(unfinished[1] if unfinished else path.name)
    except ValueError:
        return False
    if not path.is_dir() or time.time() - path.stat().st_mtime < ORPHAN_AGE_S:
        return False
    run = TrainingRun.objects.filter(key=key).first()
    if path.parent.name == "checkpoints" or unfinished:
        is_needed = run is not None and run.is_active
    else:
        is_needed = run is not None and (run.has_artifact or run.is_active)
    if not is_needed:
        shutil.rmtree(path, ignore_errors=True)
        logger.info("Deleted %s, which no run needs", path)
    return not is_needed
