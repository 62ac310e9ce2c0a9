"""What an experiment may spend, in tokens and money: reserved before a request, settled after it.

The sums stand in the experiment's row, which is locked for every change; each judgement keeps its own part of what is
reserved. So whoever takes over from a worker that died takes over its reservation too, and whatever runs at once,
spent and reserved together stay within the budget.
"""

from decimal import ROUND_UP, Decimal
from typing import NamedTuple

from django.db import models, transaction

from evaluation.judging.llm import limits
from evaluation.judging.llm.endpoint import Endpoint
from evaluation.judging.models import Experiment, Judgement


class Sum(NamedTuple):
    """Tokens of both kinds, and money in the currency of the prices."""

    tokens: int
    money: Decimal


NOTHING = Sum(0, Decimal(0))
#: What the database keeps of money.
_SMALLEST = Decimal("0.000001")


class OverBudget(Exception):
    """The budget has not enough left for a request; the message says of what."""


class Occupied(Exception):
    """It has not while the reservations of other requests stand, which may take less than they reserved."""


def of_tokens(tokens_in: int, tokens_out: int, endpoint: Endpoint) -> Sum:
    """The tokens and what they cost, rounded up to what the database keeps."""
    money = limits.cost(tokens_in, tokens_out, endpoint).quantize(_SMALLEST, ROUND_UP)
    return Sum(tokens_in + tokens_out, money)


def locked(judgement: Judgement) -> Experiment:
    """The experiment and the judgement, read again and locked, always in this order. Needs a transaction."""
    experiment = Experiment.objects.select_for_update(no_key=True).get(pk=judgement.experiment_id)
    judgement.refresh_from_db(from_queryset=Judgement.objects.select_for_update(no_key=True))
    judgement.experiment = experiment
    return experiment


def reserve(judgement: Judgement, need: Sum) -> None:
    """Set `need` aside for a request, in place of what the judgement had reserved.

    Raises:
        OverBudget: there is not enough left; what the judgement had reserved is free again.
        Occupied: others have reserved it.
    """
    # Raised outside, where it does not take the release back.
    if reason := _refused(judgement, need):
        raise OverBudget(reason)


@transaction.atomic
def _refused(judgement: Judgement, need: Sum) -> str:
    experiment = locked(judgement)
    others = Sum(
        experiment.tokens_reserved - judgement.tokens_reserved, experiment.money_reserved - judgement.money_reserved
    )
    left = Sum(experiment.token_budget - experiment.tokens_spent, experiment.money_budget - experiment.money_spent)
    reason = ""
    if need.tokens > left.tokens:
        reason = f"the budget has {left.tokens} tokens left, and a request may take {need.tokens}"
    elif need.money > left.money:
        reason = f"the budget has {left.money:.4f} left, and a request may take {need.money:.4f}"
    elif need.tokens > left.tokens - others.tokens or need.money > left.money - others.money:
        raise Occupied
    _write(experiment, judgement, NOTHING if reason else need)
    return reason


@transaction.atomic
def settle(judgement: Judgement, used: Sum) -> None:
    """Count what a request took, and free what was reserved for it."""
    experiment = locked(judgement)
    experiment.tokens_spent += used.tokens
    experiment.money_spent += used.money
    _write(experiment, judgement, NOTHING)


def release(judgement: Judgement) -> None:
    """Free what was reserved for a request that nobody makes any more."""
    settle(judgement, NOTHING)


def recount(experiment: Experiment) -> None:
    """Free what was reserved for judgements that are gone, as with a person who left. The caller has locked it."""
    reserved = experiment.judgements.aggregate(tokens=models.Sum("tokens_reserved"), money=models.Sum("money_reserved"))
    experiment.tokens_reserved = reserved["tokens"] or 0
    experiment.money_reserved = reserved["money"] or Decimal(0)
    experiment.save(update_fields=["tokens_reserved", "money_reserved"])


def _write(experiment: Experiment, judgement: Judgement, reserved: Sum) -> None:
    experiment.tokens_reserved += reserved.tokens - judgement.tokens_reserved
    experiment.money_reserved += reserved.money - judgement.money_reserved
    judgement.tokens_reserved, judgement.money_reserved = reserved
    experiment.save(update_fields=["tokens_reserved", "money_reserved", "tokens_spent", "money_spent"])
    judgement.save(update_fields=["tokens_reserved", "money_reserved"])
