"""What the cache says while Valkey does not answer or refuses to write."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from common import valkey
from recsite.cache import CountingCache

SOMEWHERE_ELSE = "redis://127.0.0.1:1/0"


@pytest.fixture
def cache() -> Iterator[CountingCache]:
    valkey.forget()
    yield CountingCache(SOMEWHERE_ELSE, {})
    valkey.forget()


def test_nothing_is_found_and_nothing_pretends_to_be_kept(cache: CountingCache) -> None:
    cache.set("page", 1)
    assert cache.get("page") is None
    assert cache.get("page", "default") == "default"
    assert cache.add("lock", 1) is False
    assert cache.touch("page") is cache.delete("page") is cache.has_key("page") is False
    assert cache.get_many(["page"]) == {}
    assert cache.set_many({"page": 1, "list": 2}) == ["page", "list"]
    assert cache.get_or_set("page", lambda: 3) == 3
    cache.delete_many(["page"])
    with pytest.raises(ValueError, match="page"):
        cache.incr("page")


@pytest.mark.parametrize("key", ["throttle_anon_127.0.0.1", "allauth:rl:account:login_failed:10/m/ip"])
def test_counters_are_kept_in_this_process(cache: CountingCache, key: str) -> None:
    cache.set(key, [1.0], 60)
    assert cache.get(key) == [1.0]
    assert cache.add(f"{key}:lock", True)
    assert not cache.add(f"{key}:lock", True)
    assert cache.delete(f"{key}:lock")


def test_one_failure_is_enough_for_a_while(cache: CountingCache, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fail(self: Any, *args: Any, **options: Any) -> None:
        asked.append("asked")
        raise redis.TimeoutError("Timeout reading from socket")

    monkeypatch.setattr(redis.Redis, "execute_command", fail)
    for _ in range(5):
        assert cache.get("page") is None
    assert len(asked) == 1
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)
    for _ in range(5):
        assert cache.get("page") is None
    assert len(asked) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        redis.exceptions.ReadOnlyError("You can't write against a read only replica."),
        redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
    ],
)
def test_valkey_that_refuses_to_write_is_still_asked(
    cache: CountingCache, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    asked: list[str] = []

    def refuse(self: Any, *args: Any, **options: Any) -> None:
        asked.append("asked")
        raise refusal

    monkeypatch.setattr(redis.Redis, "execute_command", refuse)
    for _ in range(2):
        cache.set("page", 1)
    assert len(asked) == 2


def test_faults_of_our_own_are_not_hidden(cache: CountingCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, *args: Any, **options: Any) -> None:
        raise redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")

    monkeypatch.setattr(redis.Redis, "execute_command", refuse)
    with pytest.raises(redis.ResponseError):
        cache.get("page")
