"""Writes the audit entries of the site.

A service calls `record` in the transaction of the change that it records, so that both are kept or neither is. Who
acts is read from the request that is being answered (`Middleware` keeps it), so no service has to be handed the user.
Outside of a request, in a worker or a command, the actor is the system.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse

from common.models import AuditEntry

SYSTEM = "system"
_request: ContextVar[HttpRequest | None] = ContextVar("audited request", default=None)
_written: ContextVar[int] = ContextVar("audit entries written", default=0)


class Middleware:
    """Keeps the request that this thread is answering. It stands after Django's authentication."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)


def record(action: str, target: models.Model | None = None, **details: Any) -> AuditEntry:
    """Write one entry. Call it inside the transaction of the change.

    Args:
        action: what was done, as `noun.verb`.
        target: the row that it was done to; it is named as it is now.
        details: values that JSON can hold. Never passwords, tokens or addresses.
    """
    actor_id, actor_name, token = _actor()
    if token:
        details["token"] = token
    entry = AuditEntry.objects.create(
        actor_id=actor_id,
        actor_name=actor_name,
        action=action,
        target_kind=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        target_label=str(target)[:200].replace("\0", "") if target is not None else "",
        details=details,
    )
    _written.set(_written.get() + 1)
    return entry


def written() -> int:
    """How many entries this thread has written. Two calls tell whether anything was recorded between them."""
    return _written.get()


def _actor() -> tuple[int | None, str, str]:
    """Number and name of the account that acts, and the name of the API token if it acts with one."""
    request = _request.get()
    # REST framework sets both on Django's request too, once it knows whose token came with the call.
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None, SYSTEM, ""
    token = getattr(request, "auth", None)
    return user.pk, user.get_username(), str(token) if token is not None else ""
