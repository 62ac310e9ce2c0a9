"""What a judgement keeps of an answer, and when it is asked again."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from evaluation.judging.llm.endpoint import Answer, Endpoint, JudgeUnavailable
from evaluation.judging.llm.schema import BadAnswer, ListVerdict, PairVerdict
from evaluation.judging.models import Experiment, ItemScore, Judgement
from evaluation.judging.running import budget
from evaluation.judging.running.questions import Fields

#: Requests for one judgement: after so many without an answer it stays without a score, and after so many when it has
#: answers of which none can be used.
MAX_REQUESTS, MAX_BAD_REQUESTS = 20, 4
#: A message that has not come to a worker this long after it should have, in seconds, is taken for lost.
LOST_AFTER_S = 600.0

State, Preferred = Judgement.State, Judgement.Preferred
_PREFERRED = {"A": Preferred.FIRST, "B": Preferred.SECOND, "tie": Preferred.TIE}


class Spent(NamedTuple):
    """Tokens, money and requests of one call of the client."""

    tokens_in: int
    tokens_out: int
    sum: budget.Sum
    attempts: int

    @classmethod
    def of(cls, ended: "Answer[Any] | JudgeUnavailable | BadAnswer", endpoint: Endpoint) -> "Spent":
        used = (ended.tokens_in, ended.tokens_out)
        return cls(*used, budget.of_tokens(*used, endpoint), ended.attempts)


NOTHING_SPENT = Spent(0, 0, budget.NOTHING, 0)


def end_if_done(experiment: Experiment) -> None:
    """The end of a running experiment, which the caller has locked, when no judgement is left to be answered."""
    if (
        experiment.state != Experiment.State.RUNNING
        or experiment.judgements.filter(state__in=Judgement.ACTIVE).exists()
    ):
        return
    experiment.state, experiment.finished_at = Experiment.State.DONE, timezone.now()
    experiment.save(update_fields=["state", "finished_at"])


def is_stored(judgement: Judgement, asked: Fields) -> bool:
    """Whether there is an answer to the same request already, which is the judgement's now."""
    stored = Judgement.objects.filter(
        request_hash=asked["request_hash"], state=State.SCORED, answered_from=None
    ).order_by("pk")
    source = stored.prefetch_related("items").first()
    if source is None:
        return False
    copied = {name: getattr(source, name) for name in ("overall", "preferred", "summary", "raw_answer")}
    items = _items(judgement, source.items.all())
    store(judgement, asked | copied | {"state": State.SCORED, "reason": "", "answered_from": source}, items=items)
    return True


def keep(judgement: Judgement, asked: Fields, answer: Answer[Any], endpoint: Endpoint) -> None:
    """The judgement has its answer."""
    verdict: ListVerdict | PairVerdict = answer.verdict
    fields = asked | {
        "state": State.SCORED,
        "reason": "",
        "raw_answer": answer.raw,
        "latency_s": answer.latency_s or None,
    }
    if isinstance(verdict, PairVerdict):
        fields |= {"preferred": _PREFERRED[verdict.preferred], "summary": verdict.explanation}
        return store(judgement, fields, Spent.of(answer, endpoint))
    fields |= {"overall": verdict.overall, "summary": verdict.summary}
    return store(judgement, fields, Spent.of(answer, endpoint), _items(judgement, verdict.items))


def ask_again(
    judgement: Judgement, asked: Fields, error: JudgeUnavailable | BadAnswer, endpoint: Endpoint
) -> float | None:
    """Have the judgement asked again, or end it without a score where that will not help or was tried enough.

    Returns:
        After how many seconds; None where it is at its end.
    """
    spent = Spent.of(error, endpoint)
    requests = judgement.attempts + spent.attempts
    if isinstance(error, BadAnswer):
        seconds = None if error.reason == "refusal" or requests >= MAX_BAD_REQUESTS else 0.0
        asked = asked | {"raw_answer": error.raw, "latency_s": error.latency_s}
    else:
        seconds = None if requests >= MAX_REQUESTS else error.retry_after
    if seconds is not None:
        return queue(judgement, asked | {"reason": str(error)}, seconds, spent)
    reason = f"{error} ({requests} requests)" if requests > 1 else str(error)
    store(judgement, asked | {"state": State.UNSCORED, "reason": reason}, spent)
    return None


def queue(judgement: Judgement, asked: Fields, seconds: float, spent: Spent = NOTHING_SPENT) -> float:
    """Put the judgement back to be asked after so many seconds, which are returned."""
    due_at = timezone.now() + timedelta(seconds=seconds + LOST_AFTER_S)
    store(judgement, asked | {"state": State.QUEUED, "due_at": due_at}, spent)
    return seconds


def end_without_score(judgement: Judgement, reason: str) -> None:
    """The judgement gets no score, for this reason."""
    store(judgement, {"state": State.UNSCORED, "reason": reason})


@transaction.atomic
def store(judgement: Judgement, fields: Fields, spent: Spent = NOTHING_SPENT, items: Sequence[ItemScore] = ()) -> None:
    """Count what was spent, whatever became of the judgement meanwhile, and keep the rest if it is still asked for."""
    budget.settle(judgement, spent.sum)
    judgement.attempts += spent.attempts
    judgement.tokens_in += spent.tokens_in
    judgement.tokens_out += spent.tokens_out
    judgement.cost += spent.sum.money
    if judgement.state in Judgement.ACTIVE:
        for name, value in fields.items():
            setattr(judgement, name, value)
        if judgement.state not in Judgement.ACTIVE:
            judgement.finished_at = timezone.now()
        ItemScore.objects.bulk_create(items)
    judgement.save()
    end_if_done(judgement.experiment)


def _items(judgement: Judgement, scored: Iterable[Any]) -> list[ItemScore]:
    """Rows of what has an `anime_id`, a `score` and an `explanation`."""
    items = []
    for one in scored:
        place, is_familiar = judgement.recommended.index(one.anime_id), one.anime_id in judgement.same_franchise
        given = {"anime_id": one.anime_id, "score": one.score, "explanation": one.explanation}
        items.append(ItemScore(judgement=judgement, position=place, same_franchise=is_familiar, **given))
    return items
