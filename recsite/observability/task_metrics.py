"""How many tasks ended how, and how long they took, counted in Valkey: workers run on other machines than the web."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import redis
from celery.signals import task_postrun, task_prerun
from prometheus_client.core import CounterMetricFamily, Metric

from common import valkey

COUNTS, SECONDS = "recsite:metrics:task-counts", "recsite:metrics:task-seconds"
_started: dict[str, float] = {}


@task_prerun.connect
def _note_start(task_id: str, **kwargs: Any) -> None:
    _started[task_id] = time.monotonic()


@task_postrun.connect
def _count(task_id: str, task: Any, state: str | None = None, **kwargs: Any) -> None:
    started = _started.pop(task_id, None)
    if started is None:
        return
    with suppress(redis.RedisError), valkey.asking():  # a count is not worth a task
        pipeline = valkey.client().pipeline()
        pipeline.hincrby(COUNTS, f"{task.name} {state or 'UNKNOWN'}", 1)
        pipeline.hincrbyfloat(SECONDS, task.name, time.monotonic() - started)
        pipeline.execute()


def collect() -> Iterator[Metric]:
    """The counts as they are now. Raises redis.RedisError."""
    ended = CounterMetricFamily("recsite_tasks", "Tasks that ended, by how.", labels=["task", "state"])
    for name, count in _hash(COUNTS):
        ended.add_metric(name.split(" ", 1), float(count))
    seconds = CounterMetricFamily("recsite_task_seconds", "Seconds that tasks took, added up.", labels=["task"])
    for name, total in _hash(SECONDS):
        seconds.add_metric([name], float(total))
    yield from (ended, seconds)


def _hash(name: str) -> list[tuple[str, bytes]]:
    with valkey.asking():
        found: Any = valkey.client().hgetall(name)
    return [(key.decode(), value) for key, value in sorted(found.items())]
