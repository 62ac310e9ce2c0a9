"""What is reserved and spent never goes beyond the budget, whoever asks at once."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from evaluation.judging.llm.endpoint import Endpoint
from evaluation.judging.models import Experiment, Judgement
from evaluation.judging.running import budget
from evaluation.judging.running.budget import Sum
from tests.evaluation.judging import rows

pytestmark = pytest.mark.django_db


def sums(experiment: Experiment) -> tuple[Any, ...]:
    """Reserved, then spent."""
    experiment.refresh_from_db()
    return (
        experiment.tokens_reserved,
        experiment.money_reserved,
        experiment.tokens_spent,
        experiment.money_spent,
    )


def test_a_request_takes_what_it_took_and_frees_the_rest() -> None:
    experiment = rows.experiment(token_budget=1000, money_budget=1)
    judgement = rows.judgement(experiment)
    budget.reserve(judgement, Sum(800, Decimal("0.8")))
    assert sums(experiment) == (800, Decimal("0.8"), 0, 0)
    budget.settle(judgement, Sum(150, Decimal("0.000001")))
    assert sums(experiment) == (0, 0, 150, Decimal("0.000001"))


@pytest.mark.parametrize(("need", "of_what"), [(Sum(1001, Decimal(0)), "tokens"), (Sum(1, Decimal("1.01")), "1.0000")])
def test_nothing_is_asked_that_the_budget_may_not_hold(need: Sum, of_what: str) -> None:
    experiment = rows.experiment(token_budget=1000, money_budget=1)
    judgement = rows.judgement(experiment)
    budget.reserve(judgement, Sum(10, Decimal("0.1")))
    with pytest.raises(budget.OverBudget, match=of_what):
        budget.reserve(judgement, need)
    assert sums(experiment) == (0, 0, 0, 0)


def test_what_others_have_reserved_is_waited_for() -> None:
    experiment = rows.experiment(token_budget=1000)
    first, second = rows.judgement(experiment), rows.judgement(experiment)
    budget.reserve(first, Sum(600, Decimal(0)))
    with pytest.raises(budget.Occupied):
        budget.reserve(second, Sum(600, Decimal(0)))
    budget.settle(first, Sum(300, Decimal(0)))
    budget.reserve(second, Sum(600, Decimal(0)))
    budget.settle(second, Sum(600, Decimal(0)))
    with pytest.raises(budget.OverBudget):
        budget.reserve(first, Sum(600, Decimal(0)))


def test_who_takes_over_takes_the_reservation_over() -> None:
    experiment = rows.experiment(token_budget=1000)
    judgement = rows.judgement(experiment)
    budget.reserve(judgement, Sum(800, Decimal(0)))  # and its worker is killed
    again = Judgement.objects.get()
    budget.reserve(again, Sum(900, Decimal(0)))
    assert sums(experiment)[0] == 900
    budget.release(judgement)
    budget.release(again)
    assert sums(experiment) == (0, 0, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_stay_within_the_budget() -> None:
    experiment = rows.experiment(token_budget=1000, money_budget=100)
    judgements = [rows.judgement(experiment) for _ in range(24)]

    def tried(judgement: Judgement) -> type[Exception] | None:
        try:
            budget.reserve(judgement, Sum(300, Decimal(1)))
            budget.settle(judgement, Sum(299, Decimal("0.9")))
        except (budget.OverBudget, budget.Occupied) as error:
            return type(error)
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(tried, judgements))
    assert ended.count(None) == 3
    assert sums(experiment) == (0, 0, 3 * 299, Decimal("2.7"))


def test_money_is_rounded_up() -> None:
    endpoint = Endpoint("http://127.0.0.1", "m", price_input="0.15", price_output="0.6")
    assert budget.of_tokens(1, 0, endpoint) == Sum(1, Decimal("0.000001"))
    assert budget.of_tokens(1_000_000, 500_000, endpoint) == Sum(1_500_000, Decimal("0.45"))
