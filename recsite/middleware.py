"""What is refused of a request before any view sees it."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

from recsite.api.problems import NOT_VALID, problem
from recsite.errors import bad_request, is_for_api

#: Characters of an address of the API. Our web server refuses somewhat longer ones itself (`server.connections`); this
#: bound holds behind any other server too.
MAX_ADDRESS = 8_000
_NULL = re.compile("\0|%00")
NO_NULL = "Null characters are not allowed."


class AddressCheck:
    """Refuses NUL in paths and cookies, in queries of the API and the admin, and addresses without end.

    PostgreSQL stores no NUL, and psycopg raises an error when it gets one as a parameter: from a filter of the admin,
    a part of a path or the key of a session alike. Nobody types it, so one place refuses it for all of them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if is_for_api(request):
            if len(request.get_full_path()) > MAX_ADDRESS:
                return problem(414, f"The address is longer than {MAX_ADDRESS} characters: send less in the query.")
            if _NULL.search(query):
                return problem(400, NOT_VALID, [(f"#/{name}", NO_NULL) for name in _names_with_null(query)])
        # The site's own pages leave out what they cannot read of a query, and say so.
        is_for_admin = request.path_info.startswith("/admin/")
        nulls = [
            is_for_admin and _NULL.search(query),
            "\0" in request.path_info,
            "\0" in "".join(request.COOKIES.values()),
        ]
        if any(nulls):
            raise BadRequest(NO_NULL)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The date filters of the admin make a date of any number, and only a ValueError is expected there."""
        if isinstance(exception, OverflowError) and request.path_info.startswith("/admin/"):
            return bad_request(request, exception)
        return None


def _names_with_null(query: str) -> list[str]:
    """The parameters that hold one, each once."""
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=None)
    return list(dict.fromkeys(name.replace("\0", "") for name, value in pairs if "\0" in name or "\0" in value))
