"""One judgement from its turn to its end: what is asked, what may be spent, and what comes of the answer.

A worker that holds a judgement has an advisory lock on it, which the database frees when the worker dies. What is
stored is stored under locks on the experiment's and the judgement's row, and only while the judgement is to be
answered: so nothing is stored twice, and what was cancelled stays cancelled.
"""

import hashlib
import itertools
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from catalog.models import Anime
from evaluation import jobs
from evaluation.judging import budget, client, limits
from evaluation.judging.endpoint import Answer, Endpoint, JudgeUnavailable
from evaluation.judging.models import Experiment, ItemScore, Judgement
from evaluation.judging.prompts import PROMPT_VERSION, Language, Prompt, Title, Watched, build, build_pair
from evaluation.judging.schema import BadAnswer, ListVerdict, PairVerdict
from recommender import locks

logger = logging.getLogger(__name__)

JUDGEMENTS = jobs.NAMESPACE + 3
#: Requests for one judgement: after so many without an answer it stays without a score, and after so many when it has
#: answers of which none can be used.
MAX_REQUESTS, MAX_BAD_REQUESTS = 20, 4
#: After how long to ask again, in seconds: when other requests hold what the budget has left; after one that was given
#: up because somebody cancelled, and may have gone on since.
OCCUPIED_S, CANCELLED_S = 20.0, 1.0
#: A message that has not come to a worker this long after it should have, in seconds, is taken for lost.
LOST_AFTER_S = 600.0

State, Preferred = Judgement.State, Judgement.Preferred
_PREFERRED = {"A": Preferred.FIRST, "B": Preferred.SECOND, "tie": Preferred.TIE}


Fields = dict[str, Any]


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


class _NoScore(Exception):
    """There will be no score, because of what the message says."""


def ask(judgement_id: int) -> float | None:
    """Have a judgement that waits answered. Safe to call twice.

    Returns:
        After how many seconds to call it again; None where that is not needed, or another worker holds it.
    """
    with locks.held(judgement_id, JUDGEMENTS) as acquired:
        judgement = _begun(judgement_id) if acquired else None
        if judgement is None:
            return None
        try:
            return _ask(judgement)
        except (OperationalError, InterfaceError):
            raise  # it stays as it is, and is sent again
        except _NoScore as error:
            reason = str(error)
        except Exception as error:
            logger.exception("Judgement %s failed", judgement_id)
            reason = f"Unexpected {type(error).__name__}: {error}. The worker's log has the details."
        _store(judgement, {"state": State.UNSCORED, "reason": reason})
        return None


def end_if_done(experiment: Experiment) -> None:
    """The end of a running experiment, which the caller has locked, when no judgement is left to be answered."""
    if (
        experiment.state != Experiment.State.RUNNING
        or experiment.judgements.filter(state__in=Judgement.ACTIVE).exists()
    ):
        return
    experiment.state, experiment.finished_at = Experiment.State.DONE, timezone.now()
    experiment.save(update_fields=["state", "finished_at"])


@transaction.atomic
def _begun(judgement_id: int) -> Judgement | None:
    """The judgement, now running; None when it is not to be answered (any more)."""
    judgement = Judgement.objects.filter(pk=judgement_id).first()
    if judgement is None:
        return None
    experiment = budget.locked(judgement)
    if experiment.state != Experiment.State.RUNNING or judgement.state not in Judgement.ACTIVE:
        return None
    judgement.state = State.RUNNING
    judgement.save(update_fields=["state"])
    return judgement


def _ask(judgement: Judgement) -> float | None:
    endpoint = _endpoint(judgement.experiment)
    prompt, ids = _question(judgement)
    first = len(judgement.recommended[0]) if judgement.against_id else 0
    asked: Fields = {
        "messages": list(prompt.messages),
        "model": endpoint.model,
        "shown": [prompt.order[:first], prompt.order[first:]] if first else prompt.order,
        "request_hash": _request_hash(prompt, judgement.repeat, endpoint),
    }
    if _is_answered_from_stored(judgement, asked):
        return None
    try:
        need = limits.estimate(prompt, ids, endpoint)
        budget.reserve(judgement, budget.of_tokens(*need, endpoint))
    except budget.OverBudget as error:
        raise _NoScore(str(error)) from error
    except budget.Occupied:
        return _queue(judgement, asked, OCCUPIED_S)

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        if not Experiment.objects.filter(pk=judgement.experiment_id, state=Experiment.State.RUNNING).exists():
            raise JudgeUnavailable("the experiment was cancelled", CANCELLED_S)

    answer: Answer[ListVerdict] | Answer[PairVerdict]
    try:
        if ids:
            answer = client.judge(prompt, ids, settings=endpoint, wait=wait)
        else:
            answer = client.judge_pair(prompt, settings=endpoint, wait=wait)
    except (JudgeUnavailable, BadAnswer) as error:
        return _after(judgement, asked, error, endpoint)
    found, items = _verdict(judgement, answer.verdict)
    asked |= {"raw_answer": answer.raw, "latency_s": answer.latency_s}
    _store(judgement, asked | found, Spent.of(answer, endpoint), items)
    return None


def _endpoint(experiment: Experiment) -> Endpoint:
    try:
        endpoint = Endpoint.from_env()
    except ImproperlyConfigured as error:
        raise _NoScore(f"the judge is configured wrongly: {error}") from error
    if endpoint is None:
        raise _NoScore("no judge is configured where the worker runs: set JUDGE_BASE_URL and JUDGE_MODEL")
    return replace(endpoint, model=experiment.judge_model or endpoint.model)


def _question(judgement: Judgement) -> tuple[Prompt, list[int]]:
    """What is asked, and the anime to be scored: those of the list, or none for a pair.

    The order in which a list is shown is the same for every contestant, so that equal lists are one request.
    """
    if judgement.prompt_version != PROMPT_VERSION:
        raise _NoScore(
            f"it was prepared for version {judgement.prompt_version} of the prompt, which is {PROMPT_VERSION} now: "
            "launch a new experiment"
        )
    experiment, subject = judgement.experiment, judgement.subject
    recommended: list[list[int]] = judgement.recommended if judgement.against_id else [judgement.recommended]
    anime = Anime.objects.with_genres().in_bulk([*subject.watched, *itertools.chain(*recommended)])
    if missing := [i for ids in recommended for i in ids if i not in anime]:
        raise _NoScore(f"anime {missing[0]} of the list is not in the catalogue any more")
    ratings = dict(subject.history)
    watched = [Watched(i, anime[i].name, _genres(anime[i]), ratings.get(i)) for i in subject.watched if i in anime]
    familiar = set(judgement.same_franchise)
    lists = [[Title(i, anime[i].name, _genres(anime[i]), i in familiar) for i in ids] for ids in recommended]
    person = subject.account_id or -(subject.member_id or 0)
    drawn = hashlib.sha256(f"{experiment.seed} {person} {judgement.repeat}".encode()).digest()
    language, seed = cast(Language, experiment.language), int.from_bytes(drawn[:8], "big")
    try:
        if judgement.against_id:
            prompt = build_pair(watched, *lists, language=language, seed=seed)
        else:
            prompt = build(watched, *lists, language=language, seed=seed)
    except ValueError as error:
        raise _NoScore(str(error)) from error
    return prompt, [] if judgement.against_id else list(prompt.order)


def _genres(anime: Anime) -> list[str]:
    return sorted(genre.name for genre in anime.genres.all())


def _request_hash(prompt: Prompt, repeat: int, endpoint: Endpoint) -> str:
    """Equal for requests of which one answer will do. A repeat is there to be asked anew."""
    asked = [endpoint.base_url, endpoint.model, endpoint.max_tokens, prompt.messages, repeat]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _is_answered_from_stored(judgement: Judgement, asked: Fields) -> bool:
    """Whether there is an answer to the same request already, which is the judgement's now."""
    stored = Judgement.objects.filter(
        request_hash=asked["request_hash"], state=State.SCORED, answered_from=None
    ).order_by("pk")
    source = stored.prefetch_related("items").first()
    if source is None:
        return False
    copied = {name: getattr(source, name) for name in ("overall", "preferred", "summary", "raw_answer")}
    place = {anime: position for position, anime in enumerate(judgement.recommended)} if source.items.all() else {}
    items = [
        ItemScore(
            judgement=judgement,
            anime_id=item.anime_id,
            position=place[item.anime_id],
            score=item.score,
            explanation=item.explanation,
            same_franchise=item.same_franchise,
        )
        for item in source.items.all()
    ]
    _store(judgement, asked | copied | {"state": State.SCORED, "reason": "", "answered_from": source}, items=items)
    return True


def _verdict(judgement: Judgement, verdict: ListVerdict | PairVerdict) -> tuple[Fields, list[ItemScore]]:
    """What a judgement keeps of an answer."""
    found: Fields = {"state": State.SCORED, "reason": ""}
    if isinstance(verdict, PairVerdict):
        return found | {"preferred": _PREFERRED[verdict.preferred], "summary": verdict.explanation}, []
    place = {anime: position for position, anime in enumerate(judgement.recommended)}
    items = [
        ItemScore(
            judgement=judgement,
            anime_id=item.anime_id,
            position=place[item.anime_id],
            score=item.score,
            explanation=item.explanation,
            same_franchise=item.anime_id in judgement.same_franchise,
        )
        for item in verdict.items
    ]
    return found | {"overall": verdict.overall, "summary": verdict.summary}, items


def _after(
    judgement: Judgement, asked: Fields, error: JudgeUnavailable | BadAnswer, endpoint: Endpoint
) -> float | None:
    """Has the judgement asked again later, or ends it without a score where that will not help or was tried enough."""
    spent = Spent.of(error, endpoint)
    requests = judgement.attempts + spent.attempts
    if isinstance(error, BadAnswer):
        seconds = None if error.reason == "refusal" or requests >= MAX_BAD_REQUESTS else 0.0
        asked = asked | {"raw_answer": error.raw, "latency_s": error.latency_s}
    else:
        seconds = None if requests >= MAX_REQUESTS else error.retry_after
    if seconds is not None:
        return _queue(judgement, asked | {"reason": str(error)}, seconds, spent)
    reason = f"{error} ({requests} requests)" if requests > 1 else str(error)
    _store(judgement, asked | {"state": State.UNSCORED, "reason": reason}, spent)
    return None


def _queue(judgement: Judgement, asked: Fields, seconds: float, spent: Spent = NOTHING_SPENT) -> float:
    due_at = timezone.now() + timedelta(seconds=seconds + LOST_AFTER_S)
    _store(judgement, asked | {"state": State.QUEUED, "due_at": due_at}, spent)
    return seconds


@transaction.atomic
def _store(judgement: Judgement, fields: Fields, spent: Spent = NOTHING_SPENT, items: Sequence[ItemScore] = ()) -> None:
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
