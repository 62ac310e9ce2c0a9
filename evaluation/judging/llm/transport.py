"""One request to a judge through the `openai` SDK, and its failures sorted by what can be done about them."""

import email.utils
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

from evaluation.judging.llm.endpoint import Endpoint
from evaluation.judging.llm.limits import Tokens
from evaluation.judging.llm.prompts import Message

#: The names that servers give the tokens of a question and of an answer in `usage`.
_NAMES_IN, _NAMES_OUT = ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens", "generation_tokens")


class Reply(NamedTuple):
    """What a server answered: the text, why it stopped, its refusal if any, and tokens (None where it counts none)."""

    text: str
    finish: str
    refusal: str
    tokens: Tokens | None


class Failure(Exception):
    """A request without an answer.

    Attributes:
        reason: why, without what the server wrote: that may repeat the key.
        status: of HTTP; 0 where no answer came.
        about: what the server wrote, in lower case, to be searched and never shown.
        retry_after: seconds that the server asks for; None where it does not.
    """

    def __init__(self, reason: str, *, status: int = 0, about: str = "", retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.about = about
        self.retry_after = retry_after


def send(endpoint: Endpoint, messages: Sequence[Message], options: Mapping[str, Any]) -> Reply:
    """Sends one request, with no retry, and reads all of its answer.

    Raises:
        Failure: there is no whole answer.
    """
    client = connected(endpoint)
    request: dict[str, Any] = {"model": endpoint.model, "messages": list(messages), **options}
    with failures(endpoint):
        if endpoint.stream:
            return _in_pieces(client, request, time.monotonic() + endpoint.timeout_s)
        return whole(client.chat.completions.create(**request))


def connected(endpoint: Endpoint) -> Any:
    """The SDK's client for an endpoint; threads may share it."""
    return _client(endpoint.base_url, endpoint.api_key, endpoint.timeout_s)


@contextmanager
def failures(endpoint: Endpoint) -> Iterator[None]:
    """Turns what the SDK raises into `Failure`, without what it holds of the request, and so of the key."""
    import httpx2
    import openai

    # `from None`: what the SDK raises holds the request.
    try:
        yield
    except (openai.APITimeoutError, httpx2.TimeoutException):
        raise Failure(f"no answer within {endpoint.timeout_s:g} s") from None
    except openai.APIStatusError as error:
        raise Failure(
            f"HTTP {error.status_code}",
            status=error.status_code,
            about=str(error.body or error.message).lower()[:4000],
            retry_after=retry_after(error.response.headers),
        ) from None
    except (openai.APIError, httpx2.HTTPError) as error:
        raise Failure(f"the connection broke ({type(error).__name__})") from None
    except (json.JSONDecodeError, AttributeError, IndexError, TypeError, UnicodeError):
        raise Failure("the server's answer is no chat completion") from None


@lru_cache(maxsize=4)
def _client(base_url: str, api_key: str, timeout_s: float) -> Any:
    """Kept, as reading certificates for a new one takes more time than all else here."""
    import openai

    # The SDK refuses an empty key; servers without keys ignore this one.
    return openai.OpenAI(api_key=api_key or "none", base_url=base_url, timeout=timeout_s, max_retries=0)


def whole(completion: Any) -> Reply:
    """What a chat completion of the SDK says."""
    choice = completion.choices[0]
    return Reply(
        choice.message.content or "",
        choice.finish_reason or "",
        getattr(choice.message, "refusal", None) or "",
        counted(completion.usage),
    )


def counted(usage: Any) -> Tokens | None:
    """The tokens in a server's `usage`, of the SDK or as JSON; None where it is missing, empty or says nothing of use.

    An answer without a count was paid for all the same, so it is never a reason to throw the answer away.
    """
    fields = usage if isinstance(usage, Mapping) else getattr(usage, "model_dump", dict)()
    numbers = []
    for names in (_NAMES_IN, _NAMES_OUT):
        given = [value for name in names if isinstance(value := fields.get(name), int) and value >= 0]
        numbers.append(max(given, default=0))
    # Every question has tokens: a server that says 0 does not count.
    return Tokens(*numbers) if numbers[0] else None


def _in_pieces(client: Any, request: dict[str, Any], deadline: float) -> Reply:
    text, refusal, finish = "", "", ""
    tokens: Tokens | None = None
    pieces = client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
    for piece in pieces:
        if time.monotonic() > deadline:
            raise Failure("the answer did not end in time")
        tokens = counted(piece.usage) or tokens
        for choice in piece.choices[:1]:
            text += choice.delta.content or ""
            refusal += getattr(choice.delta, "refusal", None) or ""
            finish = choice.finish_reason or finish
    if not finish:
        raise Failure("the connection broke in the middle of the answer")
    return Reply(text, finish, refusal, tokens)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `retry-after-ms` or `Retry-After`, which may be a date; None where neither can be read."""
    for name, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / divisor
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else None
