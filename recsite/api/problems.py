"""Every error of the API as RFC 9457 problem details, with a pointer to the field that is at fault."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpResponse, JsonResponse
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.views import exception_handler

from common.api.fields import MAX_FAULTS
from common.api.requests import BodyTooLarge

MEDIA_TYPE = "application/problem+json"
NOT_VALID = "The request is not valid; see errors."


def problem_details(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's answer to `error`, rewritten; None for what DRF does not answer, which stays a server error."""
    if isinstance(error, RequestDataTooBig):  # where Django read the body before the API's parser did
        error = BodyTooLarge()
    elif isinstance(error, TooManyFieldsSent):
        error = ParseError(too_many_parameters())
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        answer = problem(response.status_code, NOT_VALID, islice(_faults(error.detail), MAX_FAULTS))
    else:
        answer = problem(response.status_code, str(getattr(error, "detail", "") or error))
    for name, value in response.items():
        answer.headers.setdefault(name, value)
    return answer


def problem(status: int, detail: str = "", faults: Iterable[tuple[str, str]] = ()) -> JsonResponse:
    """Problem details; `faults` are messages with the JSON pointers of what they are about."""
    title = HTTPStatus(status).phrase
    content: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail or title}
    if errors := [{"pointer": pointer, "detail": text} for pointer, text in faults]:
        content["errors"] = errors
    # Not the view's renderer, which may be none of JSON; and in ASCII, whatever of the request a message repeats.
    return JsonResponse(content, status=status, content_type=MEDIA_TYPE)


def too_many_parameters() -> str:
    return f"The query has more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS} parameters."


def _faults(detail: Any, pointer: str = "#") -> Iterator[tuple[str, str]]:
    """Each message with the JSON pointer of what it is about."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _faults(inner, pointer if name == "non_field_errors" else f"{pointer}/{name}")
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            yield from _faults(inner, pointer if isinstance(inner, str) else f"{pointer}/{place}")
    else:
        yield pointer, str(detail)
