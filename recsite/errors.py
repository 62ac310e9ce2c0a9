"""Errors that no view answers: problem details for the API, pages for everybody else."""

import sys

from django.core.exceptions import BadRequest, DisallowedHost, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views import defaults
from kombu.exceptions import OperationalError as BrokerError
from redis import exceptions as valkey

from recsite.api.problems import problem, too_many_parameters

#: PostgreSQL or Valkey cannot be reached, or takes no more: the same request can succeed later.
STORE_ERRORS = (
    OperationalError,
    InterfaceError,
    BrokerError,
    valkey.ConnectionError,
    valkey.TimeoutError,
    valkey.OutOfMemoryError,
    valkey.ReadOnlyError,
)
#: A restart of PostgreSQL or Valkey takes about as long, in seconds.
RETRY_AFTER_S = 10


def is_for_api(request: HttpRequest) -> bool:
    return f"{request.path_info}/".startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_for_api(request):
        return defaults.bad_request(request, exception)
    if isinstance(exception, TooManyFieldsSent):
        detail = too_many_parameters()
    elif isinstance(exception, DisallowedHost):
        detail = "The Host header does not name this site."
    else:  # what else Django refuses can repeat what was sent
        detail = str(exception) if isinstance(exception, BadRequest) else ""
    return problem(400, detail)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(403) if is_for_api(request) else defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(404) if is_for_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """For an exception that nothing handled: 503 where a store is away, else 500."""
    if _store_is_away(sys.exception()):
        return _unavailable(request)
    if is_for_api(request):
        return problem(500, "Something broke on our side. It has been noted.")
    return defaults.server_error(request)


def _store_is_away(error: BaseException | None) -> bool:
    """Whether the exception, or one that led to it, says so."""
    while error is not None:
        if isinstance(error, STORE_ERRORS):
            return True
        error = error.__cause__ or error.__context__
    return False


def _unavailable(request: HttpRequest) -> HttpResponse:
    if is_for_api(request):
        answer: HttpResponse = problem(503, f"A store of the site is away. Try again in {RETRY_AFTER_S} seconds.")
    else:
        # Rendered without the request: context processors and the session would ask the stores again.
        answer = HttpResponse(loader.render_to_string("503.html"), status=503)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer
