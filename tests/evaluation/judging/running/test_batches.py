"""Experiments by the Batch API, through the real SDK."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from evaluation.judging.models import Batch, Experiment, Judgement
from evaluation.judging.running import batches, sending, services
from evaluation.judging.running.budget import Sum
from recommender.models import TrainingRun
from tests.evaluation.judging.batch_server import BatchServer, serving_batches
from tests.evaluation.judging.llm_server import ABSENT, NOT_COUNTED

pytestmark = pytest.mark.django_db(transaction=True)
S = Judgement.State


@pytest.fixture
def server(settings: Settings) -> Iterator[BatchServer]:
    with serving_batches() as server:
        settings.JUDGE_BASE_URL, settings.JUDGE_MODEL = server.url, "judge-7b"
        settings.JUDGE_PRICE_INPUT, settings.JUDGE_PRICE_OUTPUT = "1", "10"
        yield server


@pytest.fixture
def experiment(trained: TrainingRun, server: BatchServer) -> Experiment:
    """Two people, two contestants: four lists, and one pair for each person in both orders."""
    made = Experiment.objects.create(
        name="in batches", n_users=2, list_length=3, in_batches=True, pairwise=True, with_popularity=False
    )
    made.runs.set([trained])
    services.launch(experiment=made)
    services.prepare(made.pk)
    return made


def states(experiment: Experiment) -> Counter[str]:
    experiment.refresh_from_db()
    return Counter(experiment.judgements.values_list("state", flat=True))


def test_a_batch_is_handed_in_and_taken_in(experiment: Experiment, server: BatchServer) -> None:
    batches.advance(experiment.pk)
    batches.advance(experiment.pk)
    assert states(experiment) == {S.RUNNING: 8}
    assert len(server.batches) == 1
    assert experiment.tokens_reserved > 0
    sending.send_due()  # which takes what no worker holds for lost, but not these
    assert states(experiment) == {S.RUNNING: 8}
    server.work()
    batches.advance(experiment.pk)
    assert states(experiment) == {S.SCORED: 8}
    assert (experiment.state, experiment.tokens_reserved, experiment.tokens_spent) == ("done", 0, 8 * 150)
    judgement = experiment.judgements.filter(against=None)[0]
    assert [item.anime_id for item in judgement.items.all()] == judgement.recommended
    assert "<data>" in judgement.messages[1]["content"]
    assert experiment.judgements.exclude(preferred="").count() == 4
    request = server.requests[0]
    assert request["response_format"]["type"] == "json_schema"
    assert request["max_completion_tokens"] == 4000


@pytest.mark.parametrize("usage", NOT_COUNTED)
def test_an_answer_without_a_count_is_kept_and_charged_what_was_reserved(
    experiment: Experiment, server: BatchServer, usage: Any
) -> None:
    server.usage = {} if usage is ABSENT else {"usage": usage}
    batches.advance(experiment.pk)
    batches.advance(experiment.pk)
    experiment.refresh_from_db()
    reserved = Sum(experiment.tokens_reserved, experiment.money_reserved)
    server.work()
    batches.advance(experiment.pk)
    assert states(experiment) == {S.SCORED: 8}
    assert Sum(experiment.tokens_spent, experiment.money_spent) == reserved
    assert len(server.requests) == 8


def test_lines_that_fail_go_into_the_next_batch(experiment: Experiment, server: BatchServer) -> None:
    server.script = ["refusal", "truncated", "error", "missing", "not json"]
    for _ in range(3):
        batches.advance(experiment.pk)
        server.work()
    batches.advance(experiment.pk)
    found = states(experiment)
    assert found == {S.SCORED: 7, S.UNSCORED: 1}
    assert len(server.batches) == 2
    assert "refusal" in experiment.judgements.get(state=S.UNSCORED).reason
    assert sum(experiment.judgements.values_list("attempts", flat=True)) == 12
    assert (experiment.tokens_reserved, experiment.tokens_spent) == (0, 10 * 150)


def test_a_batch_of_a_worker_that_died_is_found(experiment: Experiment, server: BatchServer) -> None:
    server.hides_created = True
    batches.advance(experiment.pk)
    assert Batch.objects.get().remote_id == ""
    server.hides_created = False
    server.work()
    batches.advance(experiment.pk)
    assert states(experiment) == {S.SCORED: 8}
    assert len(server.batches) == 1


def test_a_batch_that_the_server_never_had_is_handed_in_again(experiment: Experiment, server: BatchServer) -> None:
    batches.advance(experiment.pk)
    server.batches.clear()
    Batch.objects.update(remote_id="")
    batches.advance(experiment.pk)
    assert len(server.batches) == 1
    server.work()
    batches.advance(experiment.pk)
    assert states(experiment) == {S.SCORED: 8}


def test_what_was_taken_in_is_not_taken_in_twice(experiment: Experiment, server: BatchServer) -> None:
    batches.advance(experiment.pk)
    server.work()
    batches.advance(experiment.pk)
    Batch.objects.update(ended_at=None)  # as if the worker had been killed just before
    batches.advance(experiment.pk)
    assert states(experiment) == {S.SCORED: 8}
    assert experiment.tokens_spent == 8 * 150


def test_a_server_without_batches(experiment: Experiment, server: BatchServer) -> None:
    server.refusals = [503]
    batches.advance(experiment.pk)
    assert states(experiment) == {S.QUEUED: 8}
    assert experiment.tokens_reserved == 0
    server.refusals = [404]
    batches.advance(experiment.pk)
    assert states(experiment) == {S.UNSCORED: 8}
    assert "refuses batches (HTTP 404)" in experiment.judgements.all()[0].reason
    assert not Batch.objects.exists()


def test_a_cancelled_batch_is_paid_for_and_dropped(experiment: Experiment, server: BatchServer) -> None:
    batches.advance(experiment.pk)
    services.cancel(experiment=experiment)
    batches.advance(experiment.pk)
    assert [batch["status"] for batch in server.batches.values()] == ["cancelling"]
    server.work()
    batches.advance(experiment.pk)
    assert states(experiment) == {S.CANCELLED: 8}
    assert (experiment.tokens_reserved, experiment.tokens_spent) == (0, 8 * 150)


def test_a_small_budget_makes_small_batches(experiment: Experiment, server: BatchServer) -> None:
    Experiment.objects.update(token_budget=25_000)
    batches.advance(experiment.pk)
    experiment.refresh_from_db()
    assert states(experiment)[S.RUNNING] == 2
    assert 0 < experiment.tokens_reserved <= 25_000
    for _ in range(4):
        server.work()
        batches.advance(experiment.pk)
    assert states(experiment) == {S.SCORED: 8}
