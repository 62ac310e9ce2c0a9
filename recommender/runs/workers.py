"""What a worker process knows of itself: whether it is told to stop, and how many threads it may use."""

import logging
import os
from typing import Any

from celery import current_task
from celery.signals import worker_ready, worker_shutting_down
from django.core.cache import cache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

#: Longer than anyone waits for a worker to stop before killing it.
STOPPING_EXPIRES_S = 600


@worker_shutting_down.connect
def _note_stop(sender: str, **kwargs: Any) -> None:
    """Runs in the worker's main process; the process that trains reads it after each epoch."""
    try:
        cache.set(_key(sender), True, STOPPING_EXPIRES_S)
    except RedisError as error:
        logger.warning("A training here ends when it is killed, and goes on from its last epoch: %s", error)


@worker_ready.connect
def _forget_stop(sender: Any, **kwargs: Any) -> None:
    cache.delete(_key(sender.hostname))


def name() -> str:
    """Of the worker that runs the present task, as in "training@host"; empty outside of a worker."""
    return (current_task.request.hostname or "") if current_task else ""


def is_stopping() -> bool:
    """Whether the worker that runs the present task was told to stop; False outside of a worker."""
    try:
        return bool(name() and cache.get(_key(name())))
    except RedisError:
        return False  # the store is away for a moment; the training is not


def bound_threads(count: int) -> None:
    """Let numpy, scipy, scikit-learn and JAX use `count` threads in this process. Call it before JAX is imported."""
    from threadpoolctl import threadpool_limits

    os.environ["NPROC"] = str(count)  # the size of XLA's thread pools
    threadpool_limits(count)


def _key(host: str) -> str:
    return f"worker-stops:{host}"
