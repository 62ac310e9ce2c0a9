"""What this site adds to allauth's log-in."""

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import ngettext

from catalog.feedback import move_to_account
from catalog.models import User

#: Says that a mail to verify the address was sent.
CONFIRMATION_SENT = "account/messages/email_confirmation_sent.txt"
logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not typed
    @transaction.atomic
    def login(self, request: HttpRequest, user: User) -> None:
        """Log in or finish a sign-up: what the visitor rated before it belongs to the account now.

        Both happen in one transaction, because logging in deletes the visitor's session and what it holds.
        """
        kept = move_to_account(request, user)
        super().login(request, user)
        if kept:
            message = ngettext(
                "Your ratings and list entries of %(count)s anime are saved in your account.",
                "Your ratings and list entries of %(count)s anime are saved in your account.",
                kept,
            )
            messages.success(request, message % {"count": kept})

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, message_context: Any = None,
        *args: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        """Leave it to the view of the sign-up to say that a mail is sent.

        Allauth says so only if it did not send one to the same address in the last minutes, and so would tell whether
        somebody else has just signed up with it.
        """
        if message_template != CONFIRMATION_SENT or not (message_context or {}).get("signup"):
            super().add_message(request, level, message_template, message_context, *args, **kwargs)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Of two accounts that verify one address at the same moment, one gets it and the other is told."""
        try:
            with transaction.atomic():
                return bool(super().confirm_email(request, email_address))
        except IntegrityError:
            failed = "account/messages/email_confirmation_failed.txt"
            self.add_message(request, messages.ERROR, failed, {"email": email_address.email})
            return False

    def send_notification_mail(self, template_prefix: str, user: User, *args: Any, **kwargs: Any) -> None:
        """The change is made already, so a mail server that is away must not turn it into an error page."""
        try:
            super().send_notification_mail(template_prefix, user, *args, **kwargs)
        except (OSError, SMTPException):
            logger.exception("A notice of a change of an account could not be sent")
