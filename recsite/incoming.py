"""What is mended or refused before a view sees a request: charsets that decode nothing, bodies too large."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.http import parse_header_parameters

from recsite.api.problems import problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API = "/api/"
#: What addresses of the API take that say nothing else by an attribute `max_body`, in bytes.
API_MAX_BODY = 64 * 1024
#: Python's own names for encodings that are meant for other things than text of the web, and slow to decode.
NOT_FOR_THE_WEB = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}


def without_bad_charset(application: "WSGIApplication") -> "WSGIApplication":
    """The application, which sees no charset that is none. Django decodes queries by it before any middleware runs."""

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        media_type, parameters = parse_header_parameters(environ.get("CONTENT_TYPE", ""))
        if "charset" in parameters and not _decodes_text(parameters["charset"]):
            environ["CONTENT_TYPE"] = media_type  # which means UTF-8
        return application(environ, start_response)

    return call


class BodyLimit:
    """Middleware that refuses what is larger than the view takes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *args: Any) -> HttpResponse | None:
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
