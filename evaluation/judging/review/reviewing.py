"""People score what the judge scored: which anime of which list comes next for a reviewer, and what they say of it.

A reviewer sees what somebody watched and one anime that was recommended, gives an own score, and only then learns the
judge's. Each anime is reviewed by as many people as its experiment asks for.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import BigIntegerField, Count, F, Q, QuerySet, Value
from django.db.models.functions import Mod
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.models import User
from evaluation.judging.models import MAX_SCORE, MIN_SCORE, Experiment, ItemScore, Judgement, Review

State = Review.State
#: An anime that a reviewer got and left is free for others after so long.
ABANDONED_AFTER = timedelta(hours=24)
#: Knuth's multiplier: neighbours in a table are far apart when ordered by the product's remainder.
_MULTIPLIER, _MODULUS = 2_654_435_761, 2**32


class NotPossible(ValueError):
    """What was asked for cannot be done with the review; the message says why."""


class Queue(NamedTuple):
    """What there is for a reviewer in an experiment: finished by them, and left for them."""

    experiment: Experiment
    finished: int
    left: int

    @property
    def total(self) -> int:
        return self.finished + self.left


def queues(reviewer: User) -> list[Queue]:
    """The experiments with something for the reviewer, finished or left, newest first."""
    scored = Judgement.objects.filter(state=Judgement.State.SCORED, against=None)
    experiments = Experiment.objects.filter(pk__in=scored.values("experiment")).order_by("-created_at", "-pk")
    found = [queue(reviewer, experiment) for experiment in experiments]
    return [one for one in found if one.total]


def queue(reviewer: User, experiment: Experiment) -> Queue:
    mine = Review.objects.filter(reviewer=reviewer, item__judgement__experiment=experiment)
    begun = mine.filter(state__in=(State.ASSIGNED, State.RATED)).count()
    return Queue(experiment, mine.filter(state=State.DONE).count(), begun + _free(reviewer, experiment).count())


@transaction.atomic
def next_review(*, reviewer: User, experiment: Experiment) -> Review | None:
    """The review that the reviewer has begun, or a new one; None when nothing is left for them.

    Assigning locks the experiment, so that no two people get the last place of an anime.
    """
    Experiment.objects.select_for_update(no_key=True).get(pk=experiment.pk)
    mine = Review.objects.filter(reviewer=reviewer, item__judgement__experiment=experiment)
    begun = mine.filter(state__in=(State.ASSIGNED, State.RATED)).order_by("pk").first()
    if begun is not None:
        return begun
    item = _free(reviewer, experiment).first()
    return None if item is None else Review.objects.create(item=item, reviewer=reviewer)


def rate(*, review: Review, score: int) -> None:
    """Keep the reviewer's own score, which nothing changes once the judge's was shown.

    Raises:
        NotPossible: the score is not from 1 to 10, or there is one already.
    """
    if not MIN_SCORE <= score <= MAX_SCORE:
        raise NotPossible(_("Give a score from 1 to 10."))
    _move(review, from_states={State.ASSIGNED}, state=State.RATED, score=score)


def conclude(*, review: Review, agrees: bool, comment: str = "") -> None:
    """Keep what the reviewer says of the judge's score and explanation, which ends the review.

    Raises:
        NotPossible: there is no own score yet, or the review has ended; or the comment is too long.
    """
    longest = Review._meta.get_field("comment").max_length or 0
    if len(comment) > longest:
        raise NotPossible(_("The comment has more than %(most)s characters.") % {"most": longest})
    _move(review, from_states={State.RATED}, state=State.DONE, agrees=agrees, comment=comment)


def skip(*, review: Review) -> None:
    """Leave it to somebody else; it does not come back to this reviewer.

    Raises:
        NotPossible: the judge's score was shown already.
    """
    _move(review, from_states={State.ASSIGNED}, state=State.SKIPPED)


def why_not_reassigned(review: Review, to: User) -> str:
    """What keeps a review from being given to somebody else; empty when nothing does."""
    if review.state not in (State.ASSIGNED, State.SKIPPED):
        return _("This review is %(state)s already.") % {"state": review.get_state_display().lower()}
    if Review.objects.filter(item=review.item_id, reviewer=to).exists():
        return _("%(name)s has this anime of the list already.") % {"name": to}
    return ""


def reassign(*, review: Review, to: User) -> None:
    """Give a review that has not begun to somebody else.

    Raises:
        NotPossible: it has begun, or the other one has the anime already.
    """
    try:
        with transaction.atomic():
            _move(review, from_states={State.ASSIGNED, State.SKIPPED}, state=State.ASSIGNED, reviewer=to)
    except IntegrityError as error:
        raise NotPossible(_("%(name)s has this anime of the list already.") % {"name": to}) from error


@transaction.atomic
def _move(review: Review, *, from_states: set[State], state: State, **fields: object) -> None:
    current = Review.objects.select_for_update().get(pk=review.pk)
    if current.state not in from_states:
        raise NotPossible(_("This review is %(state)s already.") % {"state": current.get_state_display().lower()})
    now: datetime = timezone.now()
    if state == State.ASSIGNED:
        fields["assigned_at"] = now
    fields |= {"state": state, "finished_at": now if state in (State.DONE, State.SKIPPED) else None}
    for name, value in fields.items():
        setattr(current, name, value)
        setattr(review, name, value)
    current.save(update_fields=list(fields))


def _free(reviewer: User, experiment: Experiment) -> QuerySet[ItemScore]:
    """The judged anime that lack a review and that the reviewer has not had, mixed over lists and places."""
    counts = Q(reviews__state__in=(State.RATED, State.DONE)) | Q(
        reviews__state=State.ASSIGNED, reviews__assigned_at__gte=timezone.now() - ABANDONED_AFTER
    )
    items = ItemScore.objects.filter(
        judgement__experiment=experiment,
        judgement__state=Judgement.State.SCORED,
        judgement__repeat=0,
        judgement__answered_from=None,
    ).exclude(pk__in=Review.objects.filter(reviewer=reviewer).values("item"))
    product = F("pk") * Value(_MULTIPLIER, BigIntegerField())
    return (
        items.annotate(taken=Count("reviews", filter=counts))
        .filter(taken__lt=experiment.reviewers_per_item)
        .order_by(Mod(product, Value(_MODULUS, BigIntegerField())), "pk")
    )
