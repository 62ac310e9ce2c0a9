"""Celery tasks of experiments: thin callers of the functions that do the work."""

from celery import shared_task

#: One that is lost is sent again by `evaluation.tasks.resume_interrupted`, so that old ones are worthless.
RESENT_EXPIRES_S = 120


@shared_task(soft_time_limit=3600, time_limit=3660)
def prepare(experiment_id: int) -> None:
    """Make an experiment's lists, and send its judgements. Safe to send twice: one worker holds an experiment."""
    from evaluation.judging.running import services

    services.prepare(experiment_id)


@shared_task(soft_time_limit=1800, time_limit=1860)
def judge(judgement_id: int) -> None:
    """Have a list judged. Safe to send twice: one worker holds a judgement, and one that has ended stays."""
    from evaluation.judging.running import asking, sending

    seconds = asking.ask(judgement_id)
    if seconds is not None:
        sending.send(judgement_id, seconds)
    sending.refill()


@shared_task
def advance_batches(experiment_id: int) -> None:
    """Take in what came of an experiment's batch, and hand in the next. Safe to send twice: one worker holds it."""
    from evaluation.judging.running import batches

    batches.advance(experiment_id)
