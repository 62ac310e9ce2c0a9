"""Asks a judge until it answers, says that it will not, or has been asked often enough.

Servers differ in how they can be made to answer in JSON. The best way that works is found by trying, from the first
of `MODES` down, and remembered for each server and model.
"""

import json
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic

import redis
from django.core.cache import cache

from evaluation.judging.llm import limits
from evaluation.judging.llm.endpoint import Answer, Endpoint, Found, JudgeUnavailable
from evaluation.judging.llm.prompts import Message, Prompt
from evaluation.judging.llm.schema import (
    BadAnswer,
    ListVerdict,
    PairVerdict,
    json_schema,
    pair_json_schema,
    parse,
    parse_pair,
    storable,
)
from evaluation.judging.llm.transport import Failure, Reply, send

MODES = ("json_schema", "json_object+schema", "json_object", "plain")
#: Requests for one answer, those that find out the mode not counted.
MAX_ATTEMPTS = 5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
#: How often a server may fail with 5xx in a mode that never worked before the next mode is tried.
FAILURES_OF_A_MODE = 2
REMEMBER_S, REMEMBER_DOUBTFUL_S = 7 * 24 * 3600, 600
_REPAIRABLE = {"not json", "wrong shape", "missing id", "doubled id", "unknown id", "out of range"}
_ABOUT_MODES = ("response_format", "json_schema", "json_object", "schema", "structured", "grammar")


def judge(
    prompt: Prompt, ids: Sequence[int], *, settings: Endpoint, wait: limits.Wait = time.sleep
) -> Answer[ListVerdict]:
    """Has a list judged (a prompt of `prompts.build`), with the items of the verdict in the order of `ids`.

    Args:
        wait: called with seconds, between attempts and for a place.

    Raises:
        JudgeUnavailable: no answer; `retry_after` says whether and when to ask again.
        BadAnswer: an answer that cannot be used, also after the judge was told what is wrong with it.
    """
    most = limits.estimate_of_one(prompt, ids, settings)
    return _Asking(prompt, settings, wait, json_schema(ids), lambda raw: parse(raw, ids), most).answer()


def judge_pair(prompt: Prompt, *, settings: Endpoint, wait: limits.Wait = time.sleep) -> Answer[PairVerdict]:
    """Has two lists compared (a prompt of `prompts.build_pair`). Raises as `judge` does."""
    most = limits.estimate_of_one(prompt, (), settings)
    return _Asking(prompt, settings, wait, pair_json_schema(), parse_pair, most).answer()


def text_of(reply: Reply, endpoint: Endpoint) -> str:
    """The text of a reply that is whole.

    Raises:
        BadAnswer: it is a refusal, or was cut off.
    """
    text = storable(reply.text)
    if reply.refusal or reply.finish == "content_filter":
        error = BadAnswer("refusal", storable(reply.refusal)[:500] or "stopped by the server's content filter")
    elif reply.finish == "length":
        error = BadAnswer("truncated", f"the answer is longer than {endpoint.max_tokens} tokens")
    else:
        return text
    error.raw = text
    raise error


def response_format(mode: str, schema: dict[str, Any]) -> dict[str, Any]:
    """How JSON of a schema is asked for in a mode, other than "plain"."""
    if mode == "json_schema":
        return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}
    return {"type": "json_object", "schema": schema} if mode == "json_object+schema" else {"type": "json_object"}


@dataclass
class _Asking(Generic[Found]):
    prompt: Prompt
    endpoint: Endpoint
    wait: limits.Wait
    schema: dict[str, Any]
    read: Callable[[str], Found]
    # What an answer is counted as where the server does not say.
    estimate: limits.Tokens
    tokens_in: int = 0
    tokens_out: int = 0
    attempts: int = 0
    failures: int = 0
    latency_s: float = 0.0
    mode: str = MODES[0]
    # OpenAI's newer models refuse `max_tokens`, which is all that older servers know.
    limit: str = "max_tokens"
    known: bool = False
    doubtful: bool = False
    of_this_mode: int = 0

    def answer(self) -> Answer[Found]:
        self._recall()
        raw = ""
        try:
            raw = self._ask([])
            try:
                verdict = self.read(raw)
            except BadAnswer as error:
                if error.reason not in _REPAIRABLE:
                    raise
                raw = self._ask(
                    [
                        {"role": "assistant", "content": raw[:4000]},
                        {"role": "user", "content": f"That cannot be used: {error}. {self._shape()}"},
                    ]
                )
                verdict = self.read(raw)
        except BadAnswer as error:
            error.raw, error.mode, error.latency_s = error.raw or raw, self.mode, self.latency_s
            self._bill(error)
            raise
        except JudgeUnavailable as error:
            self._bill(error)
            raise
        return Answer(verdict, raw, self.tokens_in, self.tokens_out, self.latency_s, self.attempts, self.mode)

    def _bill(self, error: BadAnswer | JudgeUnavailable) -> None:
        error.tokens_in, error.tokens_out, error.attempts = self.tokens_in, self.tokens_out, self.attempts

    def _ask(self, more: list[Message]) -> str:
        """The text of an answer, after as many attempts as it takes."""
        while True:
            messages = [*self.prompt.messages, *more]
            if self.mode != MODES[0] and not more:
                messages[-1] = {**messages[-1], "content": f"{messages[-1]['content']}\n\n{self._shape()}"}
            with limits.slot(self.endpoint, wait=self.wait):
                self.attempts += 1
                started = time.monotonic()
                try:
                    reply = send(self.endpoint, messages, self._options())
                except Failure as error:
                    failure = error
                else:
                    self.latency_s = time.monotonic() - started
                    tokens = reply.tokens or self.estimate
                    self.tokens_in += tokens.tokens_in
                    self.tokens_out += tokens.tokens_out
                    self._remember()
                    return text_of(reply, self.endpoint)
            self._after(failure)

    def _after(self, failure: Failure) -> None:
        """Waits or changes the way of asking; raises where neither helps."""
        if failure.status in (400, 422) and "max_completion_tokens" in failure.about and self.limit == "max_tokens":
            self.limit = "max_completion_tokens"
            return
        if failure.status == 501 or (
            failure.status in (400, 415, 422) and any(word in failure.about for word in _ABOUT_MODES)
        ):
            if self._next_mode():
                return
            raise JudgeUnavailable(f"the judge refuses the request ({failure.reason})")
        if 400 <= failure.status < 500 and failure.status not in (408, 409, 429):
            raise JudgeUnavailable(f"the judge refuses the request ({failure.reason})")
        if failure.status == 429:
            if "insufficient_quota" in failure.about:
                raise JudgeUnavailable("the judge's account has no credit left (HTTP 429)")
            limits.pause(self.endpoint, failure.retry_after or 0.0)
        if failure.status >= 500 and failure.retry_after is None and not self.known and self.mode != MODES[-1]:
            # llama.cpp answers what it cannot do with 500, which another server says when it is only out of order.
            self.of_this_mode += 1
            if self.of_this_mode >= FAILURES_OF_A_MODE and self._next_mode():
                self.doubtful = True
                return
        self.failures += 1
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self.failures - 1))
        pause *= random.uniform(0.5, 1.0)  # noqa: S311  no secret
        pause = max(pause, failure.retry_after or 0.0)
        if self.failures >= MAX_ATTEMPTS or pause > LONGEST_PAUSE_S:
            raise JudgeUnavailable(failure.reason, retry_after=min(pause, limits.LONGEST_PAUSE_S))
        self.wait(pause)

    def _next_mode(self) -> bool:
        if self.mode == MODES[-1]:
            return False
        self.mode = MODES[MODES.index(self.mode) + 1]
        self.of_this_mode, self.known = 0, False
        return True

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {self.limit: self.endpoint.max_tokens}
        if self.mode != MODES[-1]:
            options["response_format"] = response_format(self.mode, self.schema)
        return options

    def _shape(self) -> str:
        return f"Answer with one JSON object of this JSON schema and nothing else: {json.dumps(self.schema)}"

    def _recall(self) -> None:
        with suppress(redis.RedisError):
            found = cache.get(f"judge-mode:{self.endpoint.name}")
            if found and found[0] in MODES:
                (self.mode, self.limit), self.known = found, True

    def _remember(self) -> None:
        if not self.known:
            seconds = REMEMBER_DOUBTFUL_S if self.doubtful else REMEMBER_S
            with suppress(redis.RedisError):
                cache.set(f"judge-mode:{self.endpoint.name}", (self.mode, self.limit), seconds)
            self.known = True
