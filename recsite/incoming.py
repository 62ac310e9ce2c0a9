"""What is put right or refused before a view sees a request: charsets that decode nothing, bodies that are too large."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, resolve

from recsite.problems import problem

API = "/api/"
#: What addresses of the API take that say nothing else by an attribute `max_body`, in bytes.
API_MAX_BODY = 64 * 1024
#: Python's own names for encodings that are meant for other things than text of the web, and slow to decode.
NOT_FOR_THE_WEB = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}


class Incoming:
    """Middleware. It stands before all that reads a query, which is decoded by the charset of the Content-Type."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.encoding and not _decodes_text(request.encoding):
            request.encoding = None  # UTF-8
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *args: Any) -> HttpResponse | None:
        """Refuse a body that is larger than the view takes."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if "Transfer-Encoding" in request.headers and length == "0":
            # Our web server gives such bodies a length; behind another one Django would take them for empty.
            return problem(HTTPStatus.LENGTH_REQUIRED, "Send the body with its Content-Length.")
        if length.isdecimal() and int(length) > (limit := _max_body(view, request.path_info)):
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit} bytes.")
        return None


def max_body(path: str) -> int:
    """How many bytes the body of a request to this address may have. The path is as WSGI has it, in Latin-1."""
    path = path.encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        return _max_body(resolve(path).func, path)
    except Resolver404:
        return API_MAX_BODY


def _max_body(view: Any, path: str) -> int:
    default = API_MAX_BODY if path.startswith(API) else settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
    return int(getattr(getattr(view, "cls", view), "max_body", default))


def _decodes_text(charset: str) -> bool:
    try:
        "a".encode(charset)
    except (LookupError, ValueError):
        return False
    return charset.lower().replace("-", "_") not in NOT_FOR_THE_WEB
