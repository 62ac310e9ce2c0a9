"""What the worker logs while it works on a run, kept with the run for those who read it in the admin."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, InterfaceError, transaction
from structlog.contextvars import bound_contextvars

from recommender.models import RunLog, TrainingRun

#: Lines kept of a run, the newest; and letters kept of a line.
MAX_LINES, MAX_LENGTH = 500, 2000
#: Whose records belong to the run.
LOGGERS = ("recommender", "evaluation")


class RunHandler(logging.Handler):
    """Writes each record to the run's log. A database that does not answer costs the line, not the training."""

    def __init__(self, run: TrainingRun) -> None:
        super().__init__(logging.INFO)
        self.run = run

    def emit(self, record: logging.LogRecord) -> None:
        # NUL is the one character that PostgreSQL has no place for.
        message = self.format(record).replace("\0", "")[:MAX_LENGTH]
        with suppress(DatabaseError, InterfaceError), transaction.atomic():
            RunLog.objects.create(run=self.run, level=record.levelname, message=message)


@contextmanager
def kept(run: TrainingRun) -> Iterator[None]:
    """Keep what is logged inside with `run`; the worker's own log says with each record which run it is of."""
    handler = RunHandler(run)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        with bound_contextvars(run=run.version):
            yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        with suppress(DatabaseError, InterfaceError):
            _drop_the_oldest(run)


def _drop_the_oldest(run: TrainingRun) -> None:
    kept = run.log.order_by("-pk").values_list("pk", flat=True)[:MAX_LINES]
    oldest_kept = kept[MAX_LINES - 1 : MAX_LINES].first()
    if oldest_kept is not None:
        run.log.filter(pk__lt=oldest_kept).delete()
