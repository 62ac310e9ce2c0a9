"""Which judgements have a message in the queue: a bounded number at a time, each until it is taken for lost."""

from datetime import timedelta
from typing import Any

from celery import Task
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from common import locks, queue
from evaluation import jobs
from evaluation.judging import tasks
from evaluation.judging.models import Experiment, Judgement
from evaluation.judging.running import budget
from evaluation.judging.running.answers import LOST_AFTER_S, end_if_done
from evaluation.judging.running.asking import JUDGEMENTS

EXPERIMENTS = jobs.NAMESPACE + 4
#: Messages in the queue at a time, so that sending again after a loss is a matter of seconds.
MOST_SENT = 500


def send(judgement_id: int, seconds: float = 0.0) -> None:
    """Send a judgement's message, to be taken up after so many seconds. A late one expires, as it is sent again."""
    _send(tasks.judge, judgement_id, countdown=seconds, expires=seconds + LOST_AFTER_S)


def send_experiment(experiment_id: int) -> None:
    """Have a worker prepare an experiment."""
    _send(tasks.prepare, experiment_id, expires=tasks.RESENT_EXPIRES_S)


def _send(task: "Task[Any, Any]", key: int, **options: Any) -> None:
    """What cannot be sent now is sent by `send_due`."""
    queue.send(f"{task.name} {key}", lambda: task.apply_async((key,), **options))


def send_due() -> None:
    """Send what has no message: experiments that wait to be prepared, and of those that run, judgements in their order
    as long as the queue has room, those of dead workers among them. Frees what nobody needs of budgets."""
    preparing = Experiment.objects.filter(state=Experiment.State.PREPARING)
    for pk in preparing.values_list("pk", flat=True):
        if not locks.is_held(pk, EXPERIMENTS):
            send_experiment(pk)
    is_open = Q(state=Experiment.State.RUNNING) | Q(batches__isnull=False, batches__ended_at=None)
    for pk in Experiment.objects.filter(is_open, in_batches=True).distinct().values_list("pk", flat=True):
        _send(tasks.advance_batches, pk, expires=tasks.RESENT_EXPIRES_S)
    _take_back()
    for pk in Experiment.objects.filter(state=Experiment.State.RUNNING).values_list("pk", flat=True):
        _put_right(pk)
    for pk in _take_due():
        send(pk)


def refill() -> None:
    """Send what is due where half of what may be in the queue has been taken from it."""
    if _sent().count() < MOST_SENT // 2:
        for pk in _take_due():
            send(pk)


def _take_back() -> None:
    """Put the judgements of dead workers back to the queue, and free what was reserved for those that have ended."""
    # Read before the locks are: what a worker takes after that was not running, or was not reserved for.
    left = list(_alone().filter(Q(state=Judgement.State.RUNNING) | Q(tokens_reserved__gt=0)))
    held = locks.held_ids(JUDGEMENTS) if left else set()
    for judgement in left:
        if judgement.pk in held:
            continue
        with locks.held(judgement.pk, JUDGEMENTS) as acquired:
            if acquired:
                _requeue(judgement)


@transaction.atomic
def _requeue(judgement: Judgement) -> None:
    budget.locked(judgement)
    if judgement.state == Judgement.State.RUNNING:
        # Its reservation stays with it, as what the dead worker asked may be paid for.
        judgement.state, judgement.due_at = Judgement.State.QUEUED, None
        judgement.save(update_fields=["state", "due_at"])
    elif judgement.state != Judgement.State.QUEUED:
        budget.release(judgement)


@transaction.atomic
def _put_right(experiment_id: int) -> None:
    """An experiment whose judgements were deleted under it has its budget back, and comes to its end."""
    experiment = Experiment.objects.select_for_update(no_key=True).get(pk=experiment_id)
    budget.recount(experiment)
    end_if_done(experiment)


def _alone() -> QuerySet[Judgement]:
    """Judgements that have a task of their own."""
    return Judgement.objects.filter(experiment__in_batches=False)


def _queued() -> QuerySet[Judgement]:
    return _alone().filter(state=Judgement.State.QUEUED, experiment__state=Experiment.State.RUNNING)


def _sent() -> QuerySet[Judgement]:
    return _queued().filter(due_at__gt=timezone.now())


@transaction.atomic
def _take_due() -> list[int]:
    """Keys of judgements to be sent now, noted as sent."""
    now = timezone.now()
    room = max(0, MOST_SENT - _sent().count())
    due = _queued().filter(Q(due_at=None) | Q(due_at__lte=now)).order_by("pk")
    keys = [one.pk for one in due.select_for_update(of=("self",), skip_locked=True).only("pk")[:room]]
    Judgement.objects.filter(pk__in=keys).update(due_at=now + timedelta(seconds=LOST_AFTER_S))
    return keys
