"""Celery tasks: thin callers of the functions that do the work."""

from celery import current_app, shared_task
from django.conf import settings

from common import locks, queue
from recommender.models import TrainingRun
from recommender.runs import cleaning, workers
from recommender.serving import site_scores

MESSAGE_EXPIRES_S = 24 * 3600
#: One that repeats another is soon worthless: the next repetition comes within half a minute.
REPEATED_MESSAGE_EXPIRES_S = 60


@shared_task(soft_time_limit=settings.TRAINING_TIME_LIMIT_S, time_limit=settings.TRAINING_TIME_LIMIT_S + 300)
def train(run_id: int) -> None:
    """Bring a run to a model on disk, and have it evaluated. Safe to send twice: one worker holds a run at a time,
    and an ended run is left alone."""
    workers.bound_threads(settings.TRAINING_THREADS)
    from recommender.runs import pipeline  # brings in the engine, which a web process that only enqueues never needs

    pipeline.execute(run_id)
    run = TrainingRun.objects.unfinished().filter(pk=run_id).first()
    if run is not None:
        enqueue(run)


def enqueue(run: TrainingRun, expires_s: int = MESSAGE_EXPIRES_S) -> None:
    """Send what comes next for an unfinished run: its training, or its evaluation and what follows from it. While
    Valkey is away nothing is sent, and `resume_interrupted_runs` does it later."""
    is_trained = run.state not in (TrainingRun.State.QUEUED, TrainingRun.State.RUNNING)
    name = settings.AFTER_TRAINING_TASK if is_trained else train.name
    queue.send(f"{name} {run}", lambda: current_app.send_task(name, args=(run.pk,), expires=expires_s))


@shared_task
def resume_interrupted_runs() -> None:
    """Send again what no worker holds: a killed worker's run, or one whose message the broker lost."""
    for run in TrainingRun.objects.unfinished():
        if not locks.is_held(run.pk):
            enqueue(run, REPEATED_MESSAGE_EXPIRES_S)


@shared_task
def retrain_nightly() -> None:
    """Train again when there is anything new to learn from."""
    from recommender.runs import schedules

    schedules.retrain(TrainingRun.Cause.NIGHTLY)


@shared_task
def retrain_when_grown(ratings: int = 1000, percent: float = 5) -> None:
    """Train again when that many interactions are new, or that many for each hundred there were."""
    from recommender.runs import schedules

    schedules.retrain(TrainingRun.Cause.GROWTH, least_new=ratings, least_percent=percent)


@shared_task
def clean_up(keep_last: int = 5, keep_published: int = 3) -> None:
    """Delete the files of models that nobody will go back to."""
    cleaning.clean_up(keep_last=keep_last, keep_published=keep_published)


@shared_task
def forget_old_lists() -> None:
    """Delete served lists that no report asks about any more."""
    from recommender.serving import outcomes

    outcomes.forget_old()


@shared_task
def refresh_popularity() -> None:
    """Take the site's own ratings into the scores that lists for newcomers are made by."""
    site_scores.refresh()
