"""An experiment from its launch to its end, against a real server."""

import json
import os
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings

from catalog.models import Anime
from common import locks
from evaluation.judging import tasks
from evaluation.judging.models import Experiment, ItemScore, Judgement
from evaluation.judging.running import answers, asking, sending, services
from evaluation.judging.running.services import NotPossible
from recommender.models import TrainingRun
from tests.evaluation.judging.llm_server import LLMServer

pytestmark = pytest.mark.django_db(transaction=True)
S = Judgement.State


def launched(*runs: TrainingRun, **fields: Any) -> Experiment:
    experiment = Experiment.objects.create(**{"name": "which?", "n_users": 4, "list_length": 3, **fields})
    experiment.runs.set(runs)
    services.launch(experiment=experiment)
    services.prepare(experiment.pk)
    experiment.refresh_from_db()
    return experiment


def answered(experiment: Experiment, rounds: int = 1) -> Counter[str]:
    """The states after every judgement that waits had so many turns."""
    for _ in range(rounds):
        for pk in experiment.judgements.filter(state=S.QUEUED).values_list("pk", flat=True):
            asking.ask(pk)
    experiment.refresh_from_db()
    return Counter(experiment.judgements.values_list("state", flat=True))


def test_every_list_gets_scores_and_explanations(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained)
    judge_server.quality = dict.fromkeys(Anime.objects.filter(name__startswith="Mild").values_list("pk", flat=True), 9)
    assert experiment.state == Experiment.State.RUNNING
    assert Counter(experiment.contestants.values_list("kind", flat=True)) == {"run": 1, "popularity": 1, "random": 1}
    assert answered(experiment) == {S.SCORED: 12}
    assert experiment.state == Experiment.State.DONE
    assert experiment.finished_at is not None
    asked = [one for one in experiment.judgements.all() if one.answered_from is None]
    assert (experiment.tokens_spent, experiment.tokens_reserved) == (150 * len(asked), 0)
    assert experiment.money_spent == Decimal("0.0006") * len(asked) == sum(one.cost for one in asked)
    assert len(asked) == len(judge_server.requests)
    for one in experiment.judgements.select_related("subject"):
        history = {pair[0] for pair in one.subject.history}
        assert len(one.recommended) == 3
        assert not history & set(one.recommended)
        items = list(one.items.all())
        assert [item.anime_id for item in items] == one.recommended
        assert sorted(one.shown) == sorted(one.recommended)
        assert {item.score for item in items} <= {5, 9}
        assert items[0].explanation == f"because of {items[0].anime_id}"
        assert (one.model, one.prompt_version, one.summary) == ("judge-7b", "1", "likes quiet ones")
        assert 0 <= one.metrics["ndcg@10"] <= 1
        assert "<data>" in one.messages[1]["content"]
        assert one.raw_answer.startswith("{")
    # What the model recommends to those who like the mild ones is mild.
    for one in experiment.judgements.filter(contestant__kind="run").select_related("subject"):
        best = max(one.subject.history, key=lambda pair: pair[1])[0]
        assert one.overall == (9 if Anime.objects.get(pk=best).name.startswith("Mild") else 5)


def test_the_same_seed_prepares_the_same_and_asks_nothing_twice(trained: TrainingRun, judge_server: LLMServer) -> None:
    def rows(experiment: Experiment) -> list[Any]:
        chosen = experiment.judgements.values_list("subject__member_id", "contestant__label", "recommended", "overall")
        return [*chosen.order_by("pk")]

    first = launched(trained, seed=5)
    answered(first)
    asked = len(judge_server.requests)
    second = launched(trained, seed=5, name="again")
    assert answered(second) == {S.SCORED: 12}
    assert len(judge_server.requests) == asked
    assert rows(first) == rows(second)
    assert second.tokens_spent == 0
    assert second.judgements.filter(answered_from__experiment=first).count() == 12
    assert ItemScore.objects.filter(judgement__experiment=second).count() == 36
    other = launched(trained, seed=6, name="other")
    answered(other)
    assert len(judge_server.requests) > asked


def test_repeats_and_pairs_are_asked_anew(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained, repeats=2, pairwise=True, n_users=2, with_popularity=False)
    judge_server.quality = dict.fromkeys(Anime.objects.filter(name__startswith="Mild").values_list("pk", flat=True), 9)
    # Two people, two repeats: two lists, and one pair in both orders.
    assert answered(experiment) == {S.SCORED: 16}
    assert len(judge_server.requests) == 16
    one, again = experiment.judgements.filter(contestant__kind="run", against=None).order_by("subject", "repeat")[:2]
    assert one.subject == again.subject
    assert one.recommended == again.recommended
    assert one.request_hash != again.request_hash
    pairs = {
        (one.subject_id, one.repeat, one.contestant.kind): one for one in experiment.judgements.exclude(against=None)
    }
    assert len(pairs) == 8
    turned = {"first": "second", "second": "first", "tie": "tie"}
    for (subject, repeat, _), one in pairs.items():
        other = pairs[subject, repeat, one.against.kind]  # type: ignore[union-attr]
        assert other.preferred == turned[one.preferred]
        assert [sorted(side) for side in one.shown] == [sorted(side) for side in one.recommended]
        assert one.shown == other.shown[::-1]


def test_anime_of_a_watched_franchise_are_flagged(trained: TrainingRun, judge_server: LLMServer) -> None:
    Anime.objects.filter(name__startswith="Wild").update(name="Wild")
    experiment = launched(trained)
    answered(experiment)
    wild = set(Anime.objects.filter(name="Wild").values_list("pk", flat=True))
    items = ItemScore.objects.select_related("judgement__subject")
    assert items.filter(same_franchise=True).exists()
    for item in items:
        knows = bool(wild & {pair[0] for pair in item.judgement.subject.history})
        assert item.same_franchise == (knows and item.anime_id in wild)


def test_what_cannot_be_had_is_unscored_with_its_reason(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained, n_users=1, with_random=False)
    judge_server.script = ["refusal", "401"]
    assert answered(experiment) == {S.UNSCORED: 2}
    assert experiment.state == Experiment.State.DONE
    reasons = list(experiment.judgements.order_by("pk").values_list("reason", flat=True))
    assert "refusal" in reasons[0]
    assert "HTTP 401" in reasons[1]
    assert not ItemScore.objects.exists()
    assert services.resume(experiment=experiment) == 2
    assert answered(experiment) == {S.SCORED: 2}
    with pytest.raises(NotPossible, match="has its score"):
        services.resume(experiment=experiment)


def test_bad_answers_are_asked_for_anew_a_few_times(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained, n_users=1, with_random=False, with_popularity=False)
    judge_server.script = ["truncated", "ok"]
    assert answered(experiment) == {S.QUEUED: 1}
    assert answered(experiment) == {S.SCORED: 1}
    judgement = experiment.judgements.get()
    assert (judgement.attempts, judgement.tokens_in, judgement.reason) == (2, 200, "")
    assert experiment.tokens_spent == 300
    hopeless = launched(trained, n_users=1, with_random=False, with_popularity=False, name="hopeless", seed=1)
    judge_server.script = ["truncated"] * 50
    assert answered(hopeless, rounds=9) == {S.UNSCORED: 1}
    assert hopeless.judgements.get().attempts == answers.MAX_BAD_REQUESTS
    assert "truncated" in hopeless.judgements.get().reason


def test_a_server_that_says_when_is_asked_then(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained, n_users=1, with_random=False, with_popularity=False)
    judge_server.script, judge_server.retry_after = ["429"] * 100, "600"
    pk = experiment.judgements.get().pk
    assert asking.ask(pk) == 600
    assert Judgement.objects.get().state == S.QUEUED
    for _ in range(answers.MAX_REQUESTS):
        cache.clear()  # the ten minutes are over
        asking.ask(pk)
    judgement = Judgement.objects.get()
    assert (judgement.state, judgement.attempts) == (S.UNSCORED, answers.MAX_REQUESTS)
    assert "HTTP 429" in judgement.reason
    assert Experiment.objects.get().tokens_reserved == 0


def test_a_message_for_later_is_not_taken_up_before(
    trained: TrainingRun, judge_server: LLMServer, settings: Settings
) -> None:
    experiment = launched(trained, n_users=1, with_random=False, with_popularity=False)
    judge_server.script, judge_server.retry_after = ["429"], "600"
    broker = redis.Redis.from_url(settings.REDIS_URL)
    broker.delete("judging")
    before = timezone.now()
    tasks.judge(experiment.judgements.get().pk)
    (message,) = [json.loads(text) for text in broker.lrange("judging", 0, -1)]
    seconds = (datetime.fromisoformat(message["headers"]["eta"]) - before).total_seconds()
    assert seconds == pytest.approx(600, abs=30)
    sending.send_due()  # it is not lost: nothing is sent again
    assert broker.llen("judging") == 1


def test_the_budget_ends_the_asking(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained, token_budget=1)
    assert answered(experiment) == {S.UNSCORED: 12}
    assert judge_server.requests == []
    needs = [int(one.reason.rpartition(" ")[2]) for one in experiment.judgements.all()]
    budget = max(needs) + 600
    Experiment.objects.update(token_budget=budget)
    services.resume(experiment=experiment)
    states = answered(experiment)
    assert states[S.SCORED] >= 4
    assert states[S.UNSCORED] >= 1
    assert states.total() == 12
    assert (experiment.state, experiment.tokens_reserved) == (Experiment.State.DONE, 0)
    assert experiment.tokens_spent == 150 * len(judge_server.requests) <= budget
    Experiment.objects.update(token_budget=1_000_000)
    services.resume(experiment=experiment)
    assert answered(experiment) == {S.SCORED: 12}


def test_cancelled_stays_cancelled(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained, n_users=1)
    first, second, _ = experiment.judgements.order_by("pk")
    asking.ask(first.pk)
    services.cancel(experiment=experiment)
    assert asking.ask(second.pk) is None
    assert answered(experiment) == {S.SCORED: 1, S.CANCELLED: 2}
    assert experiment.state == Experiment.State.CANCELLED
    with pytest.raises(NotPossible, match="is not running"):
        services.cancel(experiment=experiment)
    services.resume(experiment=experiment)
    assert answered(experiment) == {S.SCORED: 3}


def test_what_is_cancelled_while_it_is_asked_is_paid_for_and_dropped(
    trained: TrainingRun, judge_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = launched(trained, n_users=1, with_random=False, with_popularity=False)
    judge_server.script, judge_server.retry_after = ["429", "ok"], "1"

    def cancelled_meanwhile(seconds: float) -> None:
        services.cancel(experiment=Experiment.objects.get())

    monkeypatch.setattr("evaluation.judging.running.asking.time.sleep", cancelled_meanwhile)
    asking.ask(experiment.judgements.get().pk)
    judgement = Judgement.objects.get()
    assert (judgement.state, judgement.attempts, judgement.overall) == (S.CANCELLED, 1, None)
    assert len(judge_server.requests) == 1


def test_a_dead_workers_judgement_is_taken_up(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained, n_users=1, with_random=False, with_popularity=False)
    judgement = experiment.judgements.get()
    Judgement.objects.update(state=S.RUNNING, tokens_reserved=9000)
    Experiment.objects.update(tokens_reserved=9000)
    with locks.held(judgement.pk, asking.JUDGEMENTS):
        sending.send_due()
        assert Judgement.objects.get().state == S.RUNNING
    sending.send_due()
    assert Judgement.objects.get().state == S.QUEUED
    assert answered(experiment) == {S.SCORED: 1}
    assert (experiment.tokens_reserved, experiment.tokens_spent) == (0, 150)
    # One that was cancelled meanwhile gives its part back as well.
    Judgement.objects.update(state=S.CANCELLED, overall=None, tokens_reserved=9000)
    Experiment.objects.update(tokens_reserved=9000)
    sending.send_due()
    experiment.refresh_from_db()
    assert experiment.tokens_reserved == 0


def test_a_person_who_leaves_while_the_judge_is_asked_is_forgotten(
    trained: TrainingRun, judge_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = launched(trained, n_users=1)
    judge_server.script, judge_server.retry_after = ["429", "ok"], "1"
    monkeypatch.setattr(
        "evaluation.judging.running.asking.time.sleep", lambda seconds: Experiment.objects.get().subjects.all().delete()
    )
    assert asking.ask(experiment.judgements.order_by("pk")[0].pk) is None
    experiment.refresh_from_db()
    assert experiment.tokens_reserved > 0
    sending.send_due()
    experiment.refresh_from_db()
    assert (experiment.state, experiment.tokens_reserved) == (Experiment.State.DONE, 0)


def test_a_bounded_number_of_messages_is_sent(
    trained: TrainingRun, judge_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST_SENT", 5)
    experiment = launched(trained)
    judgements = experiment.judgements.order_by("pk")

    def sent() -> list[int]:
        return [one.pk for one in judgements.exclude(due_at=None)]

    assert sent() == [one.pk for one in judgements[:5]]
    sending.send_due()
    assert len(sent()) == 5
    tasks.judge(judgements[0].pk)
    assert len(sent()) == 5  # of which one is answered
    tasks.judge(judgements[1].pk)
    tasks.judge(judgements[2].pk)
    assert len(sent()) == 5
    tasks.judge(judgements[3].pk)
    assert len(sent()) == 9


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"with_popularity": False, "with_random": False}, "at least one"),
        ({"n_users": 5000, "repeats": 10}, "judgements"),
        ({"with_random": False, "pairwise": True}, "two contestants"),
    ],
)
def test_what_cannot_be_launched_says_why(fields: dict[str, Any], says: str, judge_server: LLMServer) -> None:
    with pytest.raises(NotPossible, match=says):
        launched(**fields)
    assert Experiment.objects.get().state == Experiment.State.DRAFT


def test_nothing_is_launched_without_a_judge(settings: Settings) -> None:
    settings.JUDGE_BASE_URL = ""
    with pytest.raises(NotPossible, match="JUDGE_BASE_URL"):
        launched()


def test_what_cannot_be_prepared_is_a_draft_again(trained: TrainingRun, judge_server: LLMServer) -> None:
    experiment = launched(trained, people="accounts")
    assert experiment.state == Experiment.State.DRAFT
    assert "no account" in experiment.error
    Experiment.objects.update(people="held_out")
    experiment.refresh_from_db()
    services.launch(experiment=experiment)
    tasks.prepare(experiment.pk)
    tasks.prepare(experiment.pk)  # as its message may come twice
    experiment.refresh_from_db()
    assert (experiment.state, experiment.error, experiment.judgements.count()) == ("running", "", 12)


def test_a_worker_without_a_judge_says_so(trained: TrainingRun, judge_server: LLMServer, settings: Settings) -> None:
    experiment = launched(trained, n_users=1)
    settings.JUDGE_MODEL = ""
    assert answered(experiment) == {S.UNSCORED: 3}
    assert "JUDGE_MODEL" in experiment.judgements.all()[0].reason


@pytest.mark.skipif(os.environ.get("JUDGE_SMOKE") != "1", reason="JUDGE_SMOKE=1 asks the server of JUDGE_BASE_URL")
def test_an_experiment_with_a_real_small_model_comes_to_its_end(trained: TrainingRun) -> None:
    """What it answers is chance; that each list ends with a score or a reason, and is counted, is not."""
    experiment = launched(trained, n_users=2, pairwise=True, with_popularity=False)
    found = answered(experiment, rounds=answers.MAX_REQUESTS)
    assert found[S.SCORED] + found[S.UNSCORED] == 8
    assert experiment.state == Experiment.State.DONE
    assert experiment.tokens_spent == sum(one.tokens_in + one.tokens_out for one in experiment.judgements.all()) > 0
    for one in experiment.judgements.filter(state=S.SCORED, against=None):
        assert [item.anime_id for item in one.items.all()] == one.recommended
