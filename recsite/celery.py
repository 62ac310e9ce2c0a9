"""The Celery application: `celery -A recsite worker`."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")

app = Celery("recsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
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
