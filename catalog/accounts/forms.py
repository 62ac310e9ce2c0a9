"""Allauth's forms, where this site asks for more than they do."""

from typing import Any

from allauth.account import forms
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from catalog.models import User


class NameTaken(Exception):
    """Another sign-up got the name between the check of the form and the write."""


class SignupForm(forms.SignupForm):  # type: ignore[misc]  # allauth is not typed
    def save(self, request: HttpRequest) -> User:
        """Make the account, or raise NameTaken and leave nothing behind."""
        try:
            with transaction.atomic():
                user: User = super().save(request)
                return user
        except IntegrityError as error:
            raise NameTaken from error


class ChangeEmailForm(forms.AddEmailForm):  # type: ignore[misc]  # allauth is not typed
    @transaction.atomic
    def save(self, request: HttpRequest) -> Any:
        """Begin to change the address.

        Allauth drops an old address that was never verified at once and without a word. Here the new one takes its
        place, as at sign-up, and the old one hears of it as a verified one does.
        """
        before = self.user.email
        address = super().save(request)
        if before and not EmailAddress.objects.filter(user=self.user, email=before.lower()).exists():
            address.set_as_primary()
            context = {"from_email": before, "to_email": address.email}
            get_adapter(request).send_notification_mail(
                "account/email/email_changed", self.user, context=context, email=before
            )
        return address
