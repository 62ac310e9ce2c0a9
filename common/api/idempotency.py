"""Calls that, sent again with the same `Idempotency-Key`, are answered as the first was and not done again.

The answer is committed in the same transaction as what the call did, so that either both are there or neither is,
whenever a process dies.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from rest_framework import exceptions, serializers, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from common.models import IdempotentAnswer

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
MAX_KEY = 100
KEPT_FOR = timedelta(hours=24)

Handler = Callable[..., Response]


class InProgress(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "A call with this Idempotency-Key has not ended yet."


class KeyReused(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "This Idempotency-Key came with another request before: use a new key for each."


def idempotent(handler: Handler) -> Handler:
    """Wrap a view's POST so that it obeys `Idempotency-Key`. Keys are the caller's own, for one method and address.

    With a key, the handler runs in a transaction: what it sends to others belongs into `transaction.on_commit`.
    Answers that report an error are not kept, and an exception rolls back what the handler did: such a call may be
    sent again.
    """

    @functools.wraps(handler)
    def once(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(KEY_HEADER)
        if key is None:
            return handler(view, request, *args, **kwargs)
        if not (key.isascii() and key.isprintable() and 0 < len(key) <= MAX_KEY):
            fault = f"A key is 1 to {MAX_KEY} printable ASCII characters."
            raise serializers.ValidationError({KEY_HEADER: fault})
        call = {
            "account_id": request.user.pk,
            "operation": _digest(f"{request.method} {request.path}"),
            "key": _digest(key),
        }
        asked = _digest(json.dumps(request.data, sort_keys=True))
        with transaction.atomic():
            _lock(call)
            kept = IdempotentAnswer.objects.filter(**call, created_at__gt=timezone.now() - KEPT_FOR).first()
            if kept is not None:
                return _repeat(kept, asked)
            answer = handler(view, request, *args, **kwargs)
            if status.is_success(answer.status_code):
                _keep(call, asked, answer)
        return answer

    return once


def forget_old_answers() -> None:
    """Delete the answers that no call is answered with any more."""
    IdempotentAnswer.objects.filter(created_at__lte=timezone.now() - KEPT_FOR).delete()


def _lock(call: dict[str, Any]) -> None:
    """Hold the key until the transaction ends, however it ends. Raises InProgress when another call holds it."""
    number = int.from_bytes(hashlib.sha256(repr(call).encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        (acquired,) = cursor.fetchone()
    if not acquired:
        raise InProgress


def _keep(call: dict[str, Any], asked: str, answer: Response) -> None:
    """Keep the answer, in place of one that is too old to be repeated and was not deleted yet."""
    body = JSONRenderer().render(answer.data).decode()
    row = IdempotentAnswer(**call, request=asked, status=answer.status_code, body=body, created_at=timezone.now())
    IdempotentAnswer.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["account", "operation", "key"],
        update_fields=["request", "status", "body", "created_at"],
    )


def _repeat(kept: IdempotentAnswer, asked: str) -> Response:
    if kept.request != asked:
        raise KeyReused
    return Response(json.loads(kept.body), status=kept.status, headers={REPLAYED_HEADER: "true"})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
