"""Lists are given in pages of `limit` rows: `next` and `previous` are the addresses of the pages beside this one."""

from typing import Any

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from rest_framework import pagination, serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

DEFAULT_LIMIT, MAX_LIMIT = 30, 100
#: Further than any catalogue reaches, and not too far for the database.
MAX_OFFSET = 10**6


class OffsetPages(pagination.LimitOffsetPagination):
    """For what can be ordered in many ways and changes only when a data set is loaded."""

    default_limit = DEFAULT_LIMIT
    max_limit = MAX_LIMIT

    def get_limit(self, request: Request) -> int:
        return _whole_number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)

    def get_offset(self, request: Request) -> int:
        return _whole_number(request, "offset", 0, 0, MAX_OFFSET)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _LIMIT,
            _parameter("offset", "Rows to pass over.", type="integer", minimum=0, maximum=MAX_OFFSET, default=0),
        ]


class CursorPages(pagination.CursorPagination):
    """For what grows: latest first, and no row is met twice or missed because others came in between."""

    page_size = DEFAULT_LIMIT
    page_size_query_param = "limit"
    max_page_size = MAX_LIMIT
    #: Rows of one time are told apart by how many of them came before; at a smaller number the pages would repeat.
    offset_cutoff = MAX_OFFSET

    def get_page_size(self, request: Request) -> int:
        return _whole_number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """The model's own, which begins with a time."""
        return tuple(str(field) for field in queryset.model._meta.ordering)

    def is_position(self, text: str) -> bool:
        """Whether rows can begin at it."""
        time = parse_datetime(text)
        return time is not None and not is_naive(time)

    def decode_cursor(self, request: Request) -> Any:
        """The cursor. Raises ValidationError on one that this API did not give."""
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None and not self.is_position(str(cursor.position)):
                raise ValueError(cursor.position)
        except (NotFound, ValueError):
            fault = "This is no cursor: take it from `next` or `previous` of a page."
            raise serializers.ValidationError({"cursor": fault}) from None
        return cursor

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [_LIMIT, _parameter("cursor", "Where the page begins; part of `next` and `previous`.", type="string")]


class NumberedPages(CursorPages):
    """The same for rows that are told apart by their number alone: latest first."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return ("-pk",)

    def is_position(self, text: str) -> bool:
        return text.isascii() and text.isdigit() and len(text) < 19


def _whole_number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """The query's parameter `name`. Raises ValidationError on it."""
    if name not in request.query_params:
        return default
    field = serializers.IntegerField(min_value=least, max_value=most)
    try:
        return int(field.run_validation(request.query_params[name]))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({name: error.detail}) from None


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_LIMIT = _parameter("limit", "Rows a page.", type="integer", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT)
