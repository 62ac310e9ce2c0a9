"""Celery tasks of the catalogue: thin callers of the functions that do the work."""

from celery import shared_task

#: The next message comes before this one is worthless.
RESENT_MESSAGE_EXPIRES_S = 120


@shared_task(soft_time_limit=3600, time_limit=3660)
def import_dataset(job_id: int) -> None:
    """Load a data set. Safe to send twice: one worker holds a job, and one that has ended stays."""
    from catalog.importing import jobs

    jobs.execute(job_id)


@shared_task
def resume_interrupted_imports() -> None:
    """Send again what no worker holds: a killed worker's import, or one whose message was lost."""
    from catalog.importing import jobs

    for job_id in jobs.interrupted():
        import_dataset.apply_async((job_id,), expires=RESENT_MESSAGE_EXPIRES_S)
