"""What a judge has to answer, how it is asked for (JSON schema), and how an answer is read.

Servers ignore parts of a schema, wrap JSON in text and stop in the middle of it, so that everything is checked
here: each recommended id exactly once, each score a whole number from 1 to 10.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError

SCORES = range(1, 11)
#: Characters of an answer that are read; a model that repeats itself to no end may send more.
MAX_ANSWER = 400_000
#: Objects that are tried in an answer with text around its JSON.
MAX_OBJECTS = 200

Reason = Literal[
    "empty", "refusal", "truncated", "not json", "wrong shape", "missing id", "doubled id", "unknown id", "out of range"
]


class BadAnswer(Exception):
    """The judge answered, and the answer cannot be used.

    Attributes:
        reason: one of `Reason`.
        detail: what exactly, in words.
        raw: the answer as it came; tokens_in, tokens_out, attempts, mode, latency_s: what it took (set by the client).
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.raw = ""
        self.mode = ""
        self.tokens_in = self.tokens_out = self.attempts = 0
        self.latency_s = 0.0


def storable(text: str) -> str:
    """The text without what PostgreSQL refuses or no page shows: controls (but line feed and tab), lone surrogates."""
    return "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in {"Cc", "Cs"})


Words = Annotated[
    str,
    BeforeValidator(lambda value: storable(value).strip()[:4000] if isinstance(value, str) else value),
    StringConstraints(min_length=1),
]
Score = Annotated[int, Field(ge=SCORES[0], le=SCORES[-1])]


class ItemScore(BaseModel):
    """What the judge says of one recommended anime."""

    anime_id: int
    score: Score
    explanation: Words


class ListVerdict(BaseModel):
    """What the judge says of one list."""

    items: list[ItemScore]
    overall: Score
    summary: Words


class PairVerdict(BaseModel):
    """Which of two lists the judge prefers."""

    preferred: Literal["A", "B", "tie"]
    explanation: Words


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def json_schema(ids: Sequence[int]) -> dict[str, Any]:
    """The schema of `ListVerdict` for these anime.

    Ids and scores are enums, as servers ignore minimum and maximum. The explanation stands before the score, so that
    a model that writes from left to right gives its reasons first.
    """
    score = {"type": "integer", "enum": list(SCORES)}
    item = {"anime_id": {"type": "integer", "enum": list(ids)}, "explanation": {"type": "string"}, "score": score}
    items = {"type": "array", "items": _object(item), "minItems": len(ids), "maxItems": len(ids)}
    return _object({"items": items, "summary": {"type": "string"}, "overall": score})


def pair_json_schema() -> dict[str, Any]:
    """The schema of `PairVerdict`."""
    return _object({"explanation": {"type": "string"}, "preferred": {"type": "string", "enum": ["A", "B", "tie"]}})


def parse(raw: str, ids: Sequence[int]) -> ListVerdict:
    """Reads an answer about a list, with its items in the order of `ids`.

    Raises:
        BadAnswer: it is no verdict with exactly these anime and scores from 1 to 10.
    """
    verdict = _validated(ListVerdict, _last_object(raw, "items"))
    counts = Counter(item.anime_id for item in verdict.items)
    if unknown := counts.keys() - set(ids):
        raise BadAnswer("unknown id", f"not in the list: {_listed(unknown)}")
    if doubled := [anime_id for anime_id, count in counts.items() if count > 1]:
        raise BadAnswer("doubled id", f"scored more than once: {_listed(doubled)}")
    if missing := set(ids) - counts.keys():
        raise BadAnswer("missing id", f"not scored: {_listed(missing)}")
    place = {anime_id: position for position, anime_id in enumerate(ids)}
    verdict.items.sort(key=lambda item: place[item.anime_id])
    return verdict


def parse_pair(raw: str) -> PairVerdict:
    """Reads an answer about two lists.

    Raises:
        BadAnswer: it prefers neither A nor B nor says that they tie, or does not say why.
    """
    return _validated(PairVerdict, _last_object(raw, "preferred"))


Verdict = TypeVar("Verdict", bound=BaseModel)


def _validated(model: type[Verdict], found: Mapping[str, Any]) -> Verdict:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    given = first["input"]
    is_score = first["loc"][-1] in {"score", "overall"}
    if is_score and isinstance(given, (int, float, str)) and first["type"] != "int_parsing":
        raise BadAnswer("out of range", f"{field} is {str(given)[:20]}, not a whole number from 1 to 10")
    raise BadAnswer("wrong shape", f"{field}: {first['msg']}")


def _last_object(raw: str, key: str) -> dict[str, Any]:
    """The last JSON object in the text that has the key: models think aloud, and draft, before they answer.

    Raises:
        BadAnswer: there is none.
    """
    text = raw[:MAX_ANSWER]
    if not text.strip():
        raise BadAnswer("empty")
    decoder = json.JSONDecoder(strict=False)  # takes raw control characters in strings
    found: dict[str, Any] | None = None
    fault: BadAnswer | None = None
    start = text.find("{")
    for _ in range(MAX_OBJECTS):
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            fault = fault or _fault(text, error)
            end = start + 1
        else:
            if key in value:
                found = value
            elif fault is None and start == text.find("{"):
                fault = BadAnswer("wrong shape", f"the object has no {key!r}")
        start = text.find("{", end)
    if found is None:
        raise fault or BadAnswer("not json", "there is no object in it")
    return found


def _fault(text: str, error: Exception) -> BadAnswer:
    """Whether JSON broke off at the end of the text, or is wrong before it."""
    if not isinstance(error, json.JSONDecodeError):
        return BadAnswer("not json", "nested too deep, or a number too long")
    if error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip()):
        return BadAnswer("truncated", "the answer stops in the middle")
    return BadAnswer("not json", f"{error.msg} at character {error.pos}")


def _listed(ids: Iterable[int]) -> str:
    ordered = sorted(ids)
    return ", ".join(map(str, ordered[:10])) + (", ..." if len(ordered) > 10 else "")
