"""What all calls have in common: bounded bodies, repeats that do nothing twice, and answers that need not be resent."""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page
from django.views.decorators.vary import vary_on_headers
from rest_framework import exceptions, parsers, serializers, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
MAX_KEY = 100
#: How long an answer is kept, and how long a call that never ended blocks its key, in seconds.
KEPT_S, PENDING_S = 24 * 3600, 60

#: Who asks again with the ETag of what they have is told in a few bytes that it is still so.
revalidated = method_decorator(
    [cache_control(private=True, no_cache=True), vary_on_headers("Authorization", "Cookie"), conditional_page],
    name="dispatch",
)
Handler = Callable[..., Response]


class BodyTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes."


class InProgress(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "A call with this Idempotency-Key has not ended yet."


class KeyReused(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "This Idempotency-Key came with another request before: use a new key for each."


class JSONParser(parsers.JSONParser):
    """JSON of a bounded depth. Its size was looked at before (`recsite.incoming`)."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError("JSON parse error - nested too deeply") from None


def idempotent(handler: Handler) -> Handler:
    """A POST that, called again with the same `Idempotency-Key`, gives the first call's answer and does nothing.

    Keys are the caller's own, for one address. Errors are not kept: the call may be tried again.
    """

    @functools.wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(KEY_HEADER)
        if key is None:
            return handler(view, request, *args, **kwargs)
        if not (key.isascii() and key.isprintable() and 0 < len(key) <= MAX_KEY):
            fault = f"A key is 1 to {MAX_KEY} printable ASCII characters."
            raise serializers.ValidationError({KEY_HEADER: fault})
        name = f"idempotency:{request.user.pk}:{_digest(request.path)}:{_digest(key)}"
        asked = _digest(json.dumps(request.data, sort_keys=True))
        if not cache.add(name, (asked, None), PENDING_S):
            return _repeat(cache.get(name), asked)
        try:
            answer = handler(view, request, *args, **kwargs)
        except Exception:
            cache.delete(name)
            raise
        cache.set(name, (asked, (answer.status_code, JSONRenderer().render(answer.data))), KEPT_S)
        return answer

    return once


def _repeat(kept: tuple[str, tuple[int, bytes] | None] | None, asked: str) -> Response:
    if kept is None or kept[1] is None:
        raise InProgress
    if kept[0] != asked:
        raise KeyReused
    code, body = kept[1]
    return Response(json.loads(body), status=code, headers={REPLAYED_HEADER: "true"})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
