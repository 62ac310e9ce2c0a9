"""The states of a training run and the only function that moves a run between them."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from recommender.models import TrainingRun

S = TrainingRun.State

MOVES: dict[str, frozenset[str]] = {
    S.QUEUED: frozenset({S.RUNNING, S.CANCELLED, S.FAILED}),
    # Back to the queue when its worker is told to stop.
    S.RUNNING: frozenset({S.EVALUATING, S.QUEUED, S.FAILED, S.CANCELLED}),
    S.EVALUATING: frozenset({S.READY, S.FAILED, S.CANCELLED}),
    S.READY: frozenset({S.PUBLISHED, S.RETIRED}),
    S.PUBLISHED: frozenset({S.RETIRED}),
    S.RETIRED: frozenset({S.PUBLISHED}),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
}
_FINISHING = {S.READY, S.FAILED, S.CANCELLED}


class ImpossibleMove(Exception):
    """The run is in a state from which it cannot go where it was asked to; the message says which."""


def move(run: TrainingRun, to: str, **fields: Any) -> None:
    """Move `run` to state `to`, setting `fields` with it, or raise ImpossibleMove and change nothing.

    The row is locked and read again first, so that of two movers one wins and the other is told.
    """
    now = timezone.now()
    with transaction.atomic():
        current = TrainingRun.objects.select_for_update().only("state").get(pk=run.pk).state
        if to not in MOVES[current]:
            raise ImpossibleMove(f"Run {run.pk} is {S(current).label.lower()} and cannot become {S(to).label.lower()}.")
        fields["state"] = to
        if to == S.RUNNING and run.started_at is None:
            fields["started_at"] = now
        if to in _FINISHING:
            fields["finished_at"] = now
        if to == S.PUBLISHED:
            fields["published_at"] = now
        for name, value in fields.items():
            setattr(run, name, value)
        run.save(update_fields=list(fields))


def publish(run: TrainingRun) -> None:
    """Make `run` the one published run and retire the one before it, in one transaction."""
    try:
        with transaction.atomic():
            for published in TrainingRun.objects.published().exclude(pk=run.pk):
                move(published, S.RETIRED)
            move(run, S.PUBLISHED)
    except IntegrityError as error:
        raise ImpossibleMove("Another model was published at the same moment. Look at it, then try again.") from error
