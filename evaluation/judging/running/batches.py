"""Judges an experiment by OpenAI's Batch API: a file of requests is handed in, and one of answers taken in later.

One batch at a time, of as many judgements as the budget has room for. Its row is written before the server hears of
it, and the server is told the row's key, so that a worker that dies at any point leaves a batch that can be found. A
judgement of a batch has something reserved until its line was taken in, once.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from common import locks
from evaluation import jobs
from evaluation.judging.llm import limits
from evaluation.judging.llm.client import MODES, response_format, text_of
from evaluation.judging.llm.endpoint import Answer, Endpoint, JudgeUnavailable
from evaluation.judging.llm.schema import BadAnswer, json_schema, pair_json_schema, parse, parse_pair
from evaluation.judging.llm.transport import Failure, Reply, connected, counted, failures
from evaluation.judging.models import Batch, Experiment, Judgement
from evaluation.judging.running import answers, asking, budget
from evaluation.judging.running.questions import NoScore, Question, endpoint_of, question_of

logger = logging.getLogger(__name__)

BATCHES = jobs.NAMESPACE + 5
MAX_IN_BATCH = 5000
#: The server's words for a batch of which nothing more will come.
ENDED = ("completed", "failed", "expired", "cancelled")
#: How many of the server's batches are looked through for a lost one.
LOOKED_THROUGH = 100
PATH = "/v1/chat/completions"


def advance(experiment_id: int) -> None:
    """Take in the answers of an experiment's batch if they are there, and then hand in the next. Safe to call twice."""
    with locks.held(experiment_id, BATCHES) as acquired:
        experiment = Experiment.objects.filter(pk=experiment_id).first() if acquired else None
        if experiment is None:
            return
        try:
            endpoint = endpoint_of(experiment)
            batch = experiment.batches.filter(ended_at=None).first()
            if batch is not None and not _is_taken_in(batch, endpoint):
                return
            if experiment.state == Experiment.State.RUNNING:
                _hand_in(experiment, endpoint)
        except NoScore as error:
            _end_all(experiment, str(error))
        except Failure as error:
            logger.warning("The batch of %s waits: %s", experiment, error.reason)
            if 400 <= error.status < 500 and error.status not in (408, 409, 429):
                _end_all(experiment, f"the judge's server refuses batches ({error.reason})")


def _end_all(experiment: Experiment, reason: str) -> None:
    for judgement in experiment.judgements.filter(state=Judgement.State.QUEUED):
        answers.end_without_score(judgement, reason)


def _hand_in(experiment: Experiment, endpoint: Endpoint) -> None:
    queued = experiment.judgements.filter(state__in=Judgement.ACTIVE).order_by("pk")
    batch = Batch.objects.create(experiment=experiment)
    lines = []
    for pk in list(queued.values_list("pk", flat=True)[:MAX_IN_BATCH]):
        judgement = asking.begun(pk)
        try:
            line = _line(judgement, batch, endpoint) if judgement else None
        except budget.Occupied:
            break
        if line:
            lines.append(json.dumps(line))
    if not lines:
        batch.delete()
        return
    client = connected(endpoint)
    try:
        with failures(endpoint):
            file = client.files.create(file=(f"{batch.key}.jsonl", "\n".join(lines).encode()), purpose="batch")
            remote = client.batches.create(
                input_file_id=file.id, endpoint=PATH, completion_window="24h", metadata={"key": str(batch.key)}
            )
    except Failure as error:
        if error.status:  # else nobody knows whether the server has it, and it is looked for
            _give_back(batch)
        raise
    batch.remote_id = remote.id
    batch.save(update_fields=["remote_id"])


def _line(judgement: Judgement, batch: Batch, endpoint: Endpoint) -> dict[str, Any] | None:
    """The request of a judgement, which then belongs to the batch; None where none is needed.

    Raises:
        Occupied: the budget has no room beside the batch's other requests; the judgement waits.
    """
    try:
        asked = question_of(judgement, endpoint)
        if answers.is_stored(judgement, asked.fields):
            return None
        budget.reserve(judgement, _need(asked, endpoint))
    except (NoScore, budget.OverBudget) as error:
        answers.end_without_score(judgement, str(error))
        return None
    except budget.Occupied:
        answers.queue(judgement, {}, 0.0)
        raise
    for name, value in asked.fields.items():
        setattr(judgement, name, value)
    judgement.batch = batch
    judgement.save(update_fields=[*asked.fields, "batch"])
    schema = json_schema(asked.ids) if asked.ids else pair_json_schema()
    body = {
        "model": endpoint.model,
        "messages": list(asked.prompt.messages),
        "max_completion_tokens": endpoint.max_tokens,
        "response_format": response_format(MODES[0], schema),
    }
    return {"custom_id": str(judgement.pk), "method": "POST", "url": PATH, "body": body}


def _need(asked: Question, endpoint: Endpoint) -> budget.Sum:
    """The most that the request can take: one answer, since nothing is repaired within a batch."""
    return budget.of_tokens(*limits.estimate_of_one(asked.prompt, asked.ids, endpoint), endpoint)


def _is_taken_in(batch: Batch, endpoint: Endpoint) -> bool:
    """Whether the batch is at its end, with what came of it kept."""
    client = connected(endpoint)
    if not batch.remote_id:
        with failures(endpoint):
            known = client.batches.list(limit=LOOKED_THROUGH).data
        found = [one.id for one in known if (one.metadata or {}).get("key") == str(batch.key)]
        if not found:
            _give_back(batch)
            return True
        batch.remote_id = found[0]
        batch.save(update_fields=["remote_id"])
    lines: dict[str, Any] = {}
    with failures(endpoint):
        remote = client.batches.retrieve(batch.remote_id)
        if remote.status not in ENDED:
            if batch.experiment.state == Experiment.State.CANCELLED and remote.status != "cancelling":
                client.batches.cancel(batch.remote_id)
            return False
        for file_id in filter(None, (remote.output_file_id, remote.error_file_id)):
            for text in client.files.content(file_id).text.splitlines():
                line = json.loads(text)
                lines[str(line.get("custom_id"))] = line
    for judgement in batch.judgements.filter(tokens_reserved__gt=0):
        _take_in(judgement, lines.get(str(judgement.pk)), remote.status, endpoint)
    batch.ended_at = timezone.now()
    batch.save(update_fields=["ended_at"])
    return True


def _take_in(judgement: Judgement, line: Mapping[str, Any] | None, status: str, endpoint: Endpoint) -> None:
    tokens_in = tokens_out = 0
    error: BadAnswer | JudgeUnavailable
    try:
        reply = _reply(line, status)
        tokens_in, tokens_out = reply.tokens or _reserved(judgement, endpoint)
        raw = text_of(reply, endpoint)
        verdict = parse_pair(raw) if judgement.against_id else parse(raw, judgement.shown)
        answer: Answer[Any] = Answer(verdict, raw, tokens_in, tokens_out, 0.0, 1, MODES[0])
        answers.keep(judgement, {}, answer, endpoint)
        return
    except BadAnswer as bad:
        bad.raw = bad.raw or (reply.text if line else "")
        error = bad
    except JudgeUnavailable as unavailable:
        error = unavailable
    error.tokens_in, error.tokens_out, error.attempts = tokens_in, tokens_out, 1
    answers.ask_again(judgement, {}, error, endpoint)


def _reserved(judgement: Judgement, endpoint: Endpoint) -> limits.Tokens:
    """What was reserved for the judgement (see `_need`), for an answer whose server does not say what it took."""
    tokens_out = min(endpoint.max_tokens, judgement.tokens_reserved)
    return limits.Tokens(judgement.tokens_reserved - tokens_out, tokens_out)


def _reply(line: Mapping[str, Any] | None, status: str) -> Reply:
    """What a line of the server's file says.

    Raises:
        JudgeUnavailable: that there is no answer.
    """
    response = (line or {}).get("response") or {}
    if line is None or response.get("status_code") != 200:
        reason = f"HTTP {response['status_code']}" if response.get("status_code") else f"the batch is {status}"
        raise JudgeUnavailable(f"no answer in the batch ({reason})", retry_after=0.0)
    try:
        choice = response["body"]["choices"][0]
        message = choice["message"]
        return Reply(
            message.get("content") or "",
            choice.get("finish_reason") or "",
            message.get("refusal") or "",
            counted(response["body"].get("usage")),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise JudgeUnavailable("the server's answer is no chat completion", retry_after=0.0) from None


def _give_back(batch: Batch) -> None:
    """A batch that the server does not have: its judgements wait for the next."""
    for judgement in batch.judgements.filter(tokens_reserved__gt=0):
        answers.queue(judgement, {}, 0.0)
    batch.delete()
