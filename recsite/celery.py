"""The Celery application: `celery -A recsite worker`."""

import os
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

app = Celery("recsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A package within an application, which the line above does not look into.
app.autodiscover_tasks(["evaluation.judging"])
#: Signals hold their receivers weakly.
_kept: list[Any] = []


@worker_process_init.connect
def _log_by_task(**kwargs: Any) -> None:
    """Let the records of a task carry its id, and that of the request that sent it.

    In the process that runs tasks: it is spawned, and inherits no receivers.
    """
    from django_structlog.celery.receivers import CeleryReceiver

    receiver = CeleryReceiver()
    receiver.connect_worker_signals()
    _kept.append(receiver)


@task_prerun.connect
@task_postrun.connect
def _drop_dead_connections(**kwargs: Any) -> None:
    """As Django does around a request: after a restart of PostgreSQL, the next task connects anew.

    Celery's own code for it runs where the worker started, and not in the processes that it spawns.
    """
    from django.db import close_old_connections

    close_old_connections()
