"""What all workers together may ask of a judge: requests at a time, requests in a minute, tokens, money.

A request holds a lease in Valkey while it runs; the lease of a worker that died expires. Times are the server's, so
that the clocks of workers need not agree.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import NamedTuple, cast

import redis

from common import valkey
from evaluation.judging.llm.endpoint import Endpoint, JudgeUnavailable
from evaluation.judging.llm.prompts import Prompt
from evaluation.judging.llm.schema import json_schema, pair_json_schema

Wait = Callable[[float], None]

#: Requests of one minute are counted over any 60 s.
WINDOW_MS = 60_000
#: How long one request waits for its turn before it gives way to other tasks, seconds.
LONGEST_WAIT_S = 60.0
#: How long a server may close itself off with Retry-After, seconds.
LONGEST_PAUSE_S = 3600.0

# KEYS: leases, starts, pause. ARGV: concurrency, per_minute, window ms, lease ms, name of the lease.
# Returns 0 when the lease is taken, else the milliseconds until it may be worth asking again.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local pause = redis.call('PTTL', KEYS[3])
if pause > 0 then return pause end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 250 end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  return math.max(1, oldest[2] + ARGV[3] - now)
end
redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[5])
redis.call('ZADD', KEYS[2], now, ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[4] + 1000)
redis.call('PEXPIRE', KEYS[2], ARGV[3] + 1000)
return 0
"""
# KEYS: pause. ARGV: ms. Several workers may be told to wait; the longest wait holds.
_PAUSE = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) end
"""


class Tokens(NamedTuple):
    """Tokens of a question and of its answer."""

    tokens_in: int
    tokens_out: int


def _keys(endpoint: Endpoint) -> tuple[str, str, str]:
    # The braces keep the three on one node of a cluster.
    return cast(
        tuple[str, str, str],
        tuple(f"judge:{{{endpoint.name}}}:{part}" for part in ("leases", "starts", "pause")),
    )


@contextmanager
def slot(endpoint: Endpoint, *, wait: Wait = time.sleep, longest_wait_s: float = LONGEST_WAIT_S) -> Iterator[None]:
    """Holds one of the endpoint's places while a request runs, after waiting for it.

    Args:
        wait: called with seconds.

    Raises:
        JudgeUnavailable: no place within `longest_wait_s`, or Valkey does not answer; asked again later it may.
    """
    lease = secrets.token_hex(8)
    _take(endpoint, lease, wait, longest_wait_s)
    try:
        yield
    finally:
        # A lease that could not be given back expires.
        with suppress(redis.RedisError), valkey.asking():
            valkey.client().zrem(_keys(endpoint)[0], lease)


def _take(endpoint: Endpoint, lease: str, wait: Wait, longest_wait_s: float) -> None:
    # Twice: a request has its timeout for each of connecting and answering.
    lease_ms = int(2000 * endpoint.timeout_s) + 30_000
    waited = 0.0
    while True:
        try:
            with valkey.asking():
                milliseconds = cast(
                    int,
                    valkey.client().eval(
                        _TAKE,
                        3,
                        *_keys(endpoint),
                        str(endpoint.concurrency),
                        str(endpoint.per_minute),
                        str(WINDOW_MS),
                        str(lease_ms),
                        lease,
                    ),
                )
        except redis.RedisError as error:
            raise JudgeUnavailable(f"Valkey does not answer ({type(error).__name__})", retry_after=5.0) from None
        if milliseconds == 0:
            return
        seconds = milliseconds / 1000
        if waited + seconds > longest_wait_s:
            raise JudgeUnavailable("the judge's places are taken", retry_after=seconds)
        wait(seconds)
        waited += seconds


def pause(endpoint: Endpoint, seconds: float) -> None:
    """Keeps every worker from asking for that long: the server told one of them to."""
    milliseconds = int(min(seconds, LONGEST_PAUSE_S) * 1000)
    if milliseconds > 0:
        with suppress(redis.RedisError), valkey.asking():  # each worker hears it from the server then
            valkey.client().eval(_PAUSE, 1, _keys(endpoint)[2], str(milliseconds))


def cost(tokens_in: int, tokens_out: int, endpoint: Endpoint) -> Decimal:
    """What the tokens cost, in the currency of the prices."""
    return (tokens_in * Decimal(endpoint.price_input) + tokens_out * Decimal(endpoint.price_output)) / 1_000_000


def estimate(prompt: Prompt, ids: Sequence[int], endpoint: Endpoint) -> Tokens:
    """The most that one answered `client.judge` of the prompt can take, its repair included: what a budget must hold
    before asking.

    Without ids it is a prompt of `build_pair`, for `client.judge_pair`. A token is at least one byte of UTF-8, so that
    the bytes are a bound whatever the tokenizer; messages and schema have some tokens around them.
    """
    asked = sum(len(message["content"].encode()) for message in prompt.messages)
    # Some servers show the schema to the model; without structured outputs the client writes it into the prompt.
    schema = len(json.dumps(json_schema(ids) if ids else pair_json_schema()))
    once = asked + 2 * schema + 64 * (len(prompt.messages) + 2)
    # The repair shows the model everything again, with its first answer between.
    return Tokens(2 * once + endpoint.max_tokens + 1024, 2 * endpoint.max_tokens)


def estimate_of_one(prompt: Prompt, ids: Sequence[int], endpoint: Endpoint) -> Tokens:
    """The most that one answer can take: half of `estimate`, which holds a second one. Counted for an answer whose
    server does not say what it took, so that a budget bounds those too."""
    both = estimate(prompt, ids, endpoint)
    return Tokens(both.tokens_in // 2, both.tokens_out // 2)
