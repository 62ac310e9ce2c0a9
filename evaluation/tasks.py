"""Celery tasks of the evaluation: thin callers of the functions that do the work."""

from celery import shared_task


@shared_task(soft_time_limit=3600, time_limit=3660)
def decide(run_id: int) -> None:
    """Measure a trained run, and publish it if it may be. Safe to send twice, as a training is."""
    from evaluation import gate

    gate.decide(run_id)
