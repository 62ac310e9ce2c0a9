"""Which judge is asked, and what an answer of it is."""

import hashlib
import math
import re
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from evaluation.judging.llm.schema import ListVerdict, PairVerdict

Found = TypeVar("Found", ListVerdict, PairVerdict)


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server and a model there (JUDGE_* in `.env.example`).

    Attributes:
        timeout_s: what one request may take, seconds.
        max_tokens: what one answer may have; longer ones are cut off there.
        price_input, price_output: per million tokens, as decimal numbers in any one currency.
        concurrency, per_minute: requests at a time, and in any 60 s, of all workers together.
        stream: whether answers come in pieces, for proxies that end connections on which nothing moves.
    """

    base_url: str
    model: str
    # Never in a repr, and so in no log and no error report.
    api_key: str = field(default="", repr=False, compare=False)
    timeout_s: float = 120.0
    max_tokens: int = 4000
    price_input: str = "0"
    price_output: str = "0"
    concurrency: int = 4
    per_minute: int = 60
    stream: bool = False

    @classmethod
    def from_env(cls) -> Self | None:
        """The endpoint of the settings; None unless both JUDGE_BASE_URL and JUDGE_MODEL are set.

        Raises:
            ImproperlyConfigured: a JUDGE_* setting that no request could be made with, by its name.
        """
        if not (settings.JUDGE_BASE_URL and settings.JUDGE_MODEL):
            return None
        for name in ("JUDGE_TIMEOUT_S", "JUDGE_MAX_TOKENS", "JUDGE_CONCURRENCY", "JUDGE_PER_MINUTE"):
            if not 0 < getattr(settings, name) < math.inf:
                raise ImproperlyConfigured(f"{name} must be greater than 0.")
        for name in ("JUDGE_PRICE_INPUT", "JUDGE_PRICE_OUTPUT"):
            if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", getattr(settings, name)):
                raise ImproperlyConfigured(f"{name} must be a price such as 2.50.")
        return cls(
            base_url=settings.JUDGE_BASE_URL,
            model=settings.JUDGE_MODEL,
            api_key=settings.JUDGE_API_KEY,
            timeout_s=settings.JUDGE_TIMEOUT_S,
            max_tokens=settings.JUDGE_MAX_TOKENS,
            price_input=settings.JUDGE_PRICE_INPUT,
            price_output=settings.JUDGE_PRICE_OUTPUT,
            concurrency=settings.JUDGE_CONCURRENCY,
            per_minute=settings.JUDGE_PER_MINUTE,
            stream=settings.JUDGE_STREAM,
        )

    @property
    def name(self) -> str:
        """A short name for keys in the cache: of the server and the model, without what an address may hide."""
        return hashlib.sha256(f"{self.base_url}\n{self.model}".encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Answer(Generic[Found]):
    """What the judge said, and what it took.

    Attributes:
        raw: the answer as it came.
        tokens_in, tokens_out: of every answer that was paid for, the ones that could not be used among them.
        latency_s: of the request that was answered, seconds.
        attempts: requests that were sent.
        mode: how JSON was asked for, one of `client.MODES`.
    """

    verdict: Found
    raw: str
    tokens_in: int
    tokens_out: int
    latency_s: float
    attempts: int
    mode: str


class JudgeUnavailable(Exception):
    """There is no answer.

    Attributes:
        reason: why, in words.
        retry_after: seconds after which to ask again; None where asking again will not help.
        tokens_in, tokens_out, attempts: what was used all the same.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.tokens_in = self.tokens_out = self.attempts = 0
