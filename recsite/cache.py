"""The cache in Valkey, which counts how often it had what it was asked for, and goes on while Valkey is away.

Then nothing is found and nothing is kept, as if the cache had been emptied: whoever asks works out the answer again.
`add` says that it did not add, so that nobody takes a lock that does not exist, and `set_many` names all of its keys as
not kept, for those that must know. Nothing that has to be right may rest on a deletion here: a Valkey that hung comes
back with what it held before. Sessions are in the database alone for that reason.

What limits how often somebody may call or try a password is counted in this process meanwhile. Counting nothing would
let a guesser try without end, and refusing would lock everybody out; so each process grants what all of them together
grant otherwise.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from prometheus_client import Counter

from common import valkey

LOOKUPS = Counter("recsite_cache_lookups_total", "Lookups in the cache in Valkey.", ["result"])
#: How the keys of counters begin: those of the API's throttles, and of allauth's limits for signing in.
COUNTERS = ("throttle_", "allauth:rl:")
_NOTHING = object()
Answer = TypeVar("Answer")


class CountingCache(RedisCache):
    """See the module."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        # Large enough that nobody pushes a count out by making others.
        self._counters = LocMemCache("counters", {"OPTIONS": {"MAX_ENTRIES": 100_000}})

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        found = self._ask(key, lambda cache: partial(cache.get, key, _NOTHING, version), _NOTHING)
        LOOKUPS.labels("miss" if found is _NOTHING else "hit").inc()
        return default if found is _NOTHING else found

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._ask(key, lambda cache: partial(cache.set, key, value, timeout, version), None)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self._ask(key, lambda cache: partial(cache.add, key, value, timeout, version), False)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self._ask(key, lambda cache: partial(cache.touch, key, timeout, version), False)

    def delete(self, key: Any, version: int | None = None) -> bool:
        return self._ask(key, lambda cache: partial(cache.delete, key, version), False)

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return self._ask(key, lambda cache: partial(cache.has_key, key, version), False)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Raises ValueError where the key is not there; and nothing is while Valkey is away."""
        found: int | None = self._ask(key, lambda cache: partial(cache.incr, key, delta, version), None)
        if found is None:
            raise ValueError(f"Key {key!r} not found: Valkey is away.")
        return found

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        keys = list(keys)
        return self._ask("", lambda cache: partial(cache.get_many, keys, version), {})

    def set_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> list[Any]:
        """The keys that were not kept."""
        return self._ask("", lambda cache: partial(cache.set_many, dict(data), timeout, version), list(data))

    def delete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        keys = list(keys)
        self._ask("", lambda cache: partial(cache.delete_many, keys, version), None)

    def _ask(self, key: Any, request: Callable[[BaseCache], Callable[[], Answer]], without: Answer) -> Answer:
        """Valkey's answer to a request; while it is away, the local counters' for a counter's key, else `without`."""
        try:
            with valkey.asking():
                return request(super())()  # type: ignore[arg-type]  # stands for the cache in Valkey
        except valkey.NO_ANSWER:
            return request(self._counters)() if str(key).startswith(COUNTERS) else without
        except redis.ResponseError as error:
            if not valkey.refuses_to_write(error):
                raise
            return request(self._counters)() if str(key).startswith(COUNTERS) else without
