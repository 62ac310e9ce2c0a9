"""Places and costs, counted in a real Valkey."""

import threading
from decimal import Decimal

import pytest
import redis
from django.conf import settings
from django.core.cache import cache

from evaluation.judging.llm import limits
from evaluation.judging.llm.client import judge
from evaluation.judging.llm.endpoint import Endpoint, JudgeUnavailable
from evaluation.judging.llm.prompts import Title, build
from tests.evaluation.judging.llm_server import serving

JUDGE = Endpoint("http://127.0.0.1:1/v1", "m", concurrency=2, per_minute=5, price_input="2.50", price_output="10")


@pytest.fixture(autouse=True)
def _forget():
    cache.clear()


def enter(endpoint: Endpoint = JUDGE) -> None:
    with limits.slot(endpoint, longest_wait_s=0):
        pass


def test_only_so_many_at_a_time() -> None:
    with limits.slot(JUDGE), limits.slot(JUDGE):
        with pytest.raises(JudgeUnavailable, match="places are taken") as error:
            enter()
        assert error.value.retry_after == 0.25
    enter()


def test_only_so_many_in_a_minute() -> None:
    for _ in range(5):
        enter()
    with pytest.raises(JudgeUnavailable) as error:
        enter()
    assert 50 < (error.value.retry_after or 0) <= 60


def test_the_lease_of_a_dead_worker_expires() -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    leases = limits._keys(JUDGE)[0]
    client.zadd(leases, {"dead": 1, "dead too": 2})  # expired long ago
    enter()
    assert client.zcard(leases) == 0


def test_a_pause_holds_for_everybody_and_the_longest_counts() -> None:
    limits.pause(JUDGE, 30)
    limits.pause(JUDGE, 1)
    with pytest.raises(JudgeUnavailable) as error:
        enter()
    assert 25 < (error.value.retry_after or 0) <= 30


def test_without_valkey_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(JudgeUnavailable, match="Valkey does not answer") as error:
        enter()
    assert error.value.retry_after == 5


def test_workers_share_the_places() -> None:
    prompt = build([], [Title(1, "a")])
    turn = threading.Event()
    with serving() as server:
        endpoint = Endpoint(server.url, "m", concurrency=2, per_minute=1000)

        def briefly(seconds: float) -> None:
            turn.wait(0.01)

        def work() -> None:
            judge(prompt, [1], settings=endpoint, wait=briefly)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.requests) == 8
    assert server.most_running <= 2


def test_cost_and_its_bound() -> None:
    assert limits.cost(1_000_000, 500_000, JUDGE) == Decimal("7.5")
    prompt = build([], [Title(1, "進撃の巨人")], language="ja")
    bound = limits.estimate(prompt, [1], JUDGE)
    assert bound.tokens_in > 2 * sum(len(message["content"].encode()) for message in prompt.messages)
    assert bound.tokens_out == 2 * JUDGE.max_tokens
