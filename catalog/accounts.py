"""What this site adds to allauth's log-in."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext

from catalog.feedback import move_to_account
from catalog.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not typed
    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """After a log-in or a sign-up: what the visitor rated before it belongs to the account now."""
        kept = move_to_account(request, user)
        if kept:
            message = ngettext(
                "What you said of %(count)s anime before is in your account now.",
                "What you said of %(count)s anime before is in your account now.",
                kept,
            )
            messages.success(request, message % {"count": kept})
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response
