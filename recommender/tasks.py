"""Celery tasks: thin callers of the functions that do the work."""

from celery import shared_task

from recommender.models import TrainingRun

MESSAGE_EXPIRES_S = 24 * 3600
#: One that repeats another is soon worthless: the next repetition comes within half a minute.
REPEATED_MESSAGE_EXPIRES_S = 60


@shared_task
def train(run_id: int) -> None:
    """Bring a run to its end. Safe to send twice: one worker holds a run at a time, and an ended run is left alone."""
    from recommender import (
        pipeline,
    )  # brings in the engine, which a web process that only enqueues never needs

    pipeline.execute(run_id)


def enqueue(run_id: int, expires_s: int = MESSAGE_EXPIRES_S) -> None:
    train.apply_async(args=(run_id,), expires=expires_s)


@shared_task
def resume_interrupted_runs() -> None:
    """Send again what no worker holds: a killed worker's run, or one whose message the broker lost."""
    from recommender import locks

    for run_id in TrainingRun.objects.unfinished().values_list("pk", flat=True):
        if not locks.is_held(run_id):
            enqueue(run_id, REPEATED_MESSAGE_EXPIRES_S)
