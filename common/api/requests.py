"""What all calls have in common: bounded bodies, and answers that need not be resent."""

from typing import Any

from django.conf import settings
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page
from django.views.decorators.vary import vary_on_headers
from rest_framework import exceptions, parsers, status

#: Who asks again with the ETag of what they have is told in a few bytes that it is still so.
revalidated = method_decorator(
    [cache_control(private=True, no_cache=True), vary_on_headers("Authorization", "Cookie"), conditional_page],
    name="dispatch",
)


class BodyTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes."


class JSONParser(parsers.JSONParser):
    """JSON of a bounded depth. Its size was looked at before (`recsite.incoming`)."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError("JSON parse error - nested too deeply") from None
