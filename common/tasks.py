"""Celery tasks of what every app shares: thin callers of the functions that do the work."""

from celery import shared_task


@shared_task
def forget_old_answers() -> None:
    """Delete the answers kept for calls with an `Idempotency-Key`, a day after each."""
    from common.api import idempotency

    idempotency.forget_old_answers()
