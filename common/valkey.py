"""Connections to Valkey, which may be away: nobody waits long for it, and after one failure nobody waits for a while.

Each process asks a Valkey that did not answer again only every PAUSE_S seconds, with a single request. All others get
`Away` at once, so that a page that asks ten times does not wait for ten time-outs.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import kombu.exceptions
import redis
from django.conf import settings
from prometheus_client import Counter

logger = logging.getLogger(__name__)

PAUSE_S = 5.0
FAILURES = Counter("recsite_valkey_failures_total", "Requests that Valkey did not answer or refused.", ["error"])
#: A connection that fails, times out or is told that Valkey still loads; and what Celery makes of these.
NO_ANSWER = (redis.ConnectionError, redis.TimeoutError, kombu.exceptions.OperationalError)
#: How the messages begin with which Valkey refuses to write: out of memory, the disk is full, read only.
_REFUSALS = ("OOM", "MISCONF", "READONLY")


class Away(redis.ConnectionError):
    """Valkey did not answer a moment ago, and is not asked again yet."""


class _Breaker:
    """Remembers whether Valkey answered last. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_away = False
        self._ask_again_at = 0.0

    def forget(self) -> None:
        with self._lock:
            self._is_away = False

    def may_ask(self) -> bool:
        """True while Valkey answers; once it does not, for one caller every PAUSE_S seconds."""
        if not self._is_away:
            return True
        with self._lock:
            now = time.monotonic()
            if self._is_away and now < self._ask_again_at:
                return False
            self._ask_again_at = now + PAUSE_S
            return True

    def note_failure(self, error: Exception) -> None:
        FAILURES.labels(type(error).__name__).inc()
        with self._lock:
            was_away, self._is_away = self._is_away, True
            self._ask_again_at = time.monotonic() + PAUSE_S
        if not was_away:
            logger.warning("Valkey does not answer; this process goes on without it: %s", error)

    def note_answer(self) -> None:
        if self._is_away:
            with self._lock:
                was_away, self._is_away = self._is_away, False
            if was_away:
                logger.warning("Valkey answers again.")


_breaker = _Breaker()


@contextmanager
def asking() -> Iterator[None]:
    """Put this around each request to Valkey.

    Raises:
        Away: it did not answer a moment ago, so that it is not asked now.
    """
    if not _breaker.may_ask():
        raise Away("Valkey did not answer a moment ago.")
    try:
        yield
    except NO_ANSWER as error:
        _breaker.note_failure(error)
        raise
    except redis.ResponseError as error:
        if refuses_to_write(error):
            FAILURES.labels(type(error).__name__).inc()
        raise
    _breaker.note_answer()


def refuses_to_write(error: Exception) -> bool:
    """Whether Valkey has no room for what it was to keep, or is no primary. Any other answer is a fault of ours."""
    is_refusal = isinstance(error, (redis.exceptions.OutOfMemoryError, redis.exceptions.ReadOnlyError))
    return is_refusal or (isinstance(error, redis.ResponseError) and str(error).startswith(_REFUSALS))


def forget() -> None:
    """Ask Valkey again at once."""
    _breaker.forget()


def client() -> "redis.Redis":
    """Valkey itself, with time-outs; for what the cache, which may be emptied at any time, must not keep."""
    return _client(settings.REDIS_URL)


@lru_cache(maxsize=4)
def _client(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, **settings.VALKEY_OPTIONS)
