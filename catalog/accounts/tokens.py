"""Tokens with which programs act for a user: making and revoking them."""

from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog.models import ApiToken, User

MAX_TOKENS = 20


@transaction.atomic
def make_token(*, user: User, name: str, scope: str, days: int) -> tuple[ApiToken, str]:
    """A new token, and its text, which is kept nowhere.

    Raises ValidationError where the user has too many, or the scope is not for them.
    """
    # Two that race are counted one after the other.
    User.objects.select_for_update().only("pk").get(pk=user.pk)
    if scope == ApiToken.Scope.STAFF and not user.is_staff:
        raise ValidationError({"scope": _("This scope is for staff.")})
    ApiToken.objects.filter(user=user, expiry__lte=timezone.now()).delete()
    if ApiToken.objects.filter(user=user).count() >= MAX_TOKENS:
        raise ValidationError(_("You have %(count)s tokens: revoke one first."), params={"count": MAX_TOKENS})
    made, text = ApiToken.objects.create(user, expiry=timedelta(days=days), name=name, scope=scope)
    return made, text


def lacks_verified_address(user: User) -> bool:
    """Whether the user must verify their e-mail address before they make a token.

    Who signs up with the address of somebody else could otherwise keep a way into the account. Where no mail is sent
    nobody can verify anything, and the password, which the page asks for again, is enough.
    """
    return settings.SENDS_MAIL and not EmailAddress.objects.filter(user=user, verified=True).exists()


def revoke_token(*, user: User, key: str) -> bool:
    """Make the user's token that begins with `key` worthless; whether there was one."""
    return bool(ApiToken.objects.filter(user=user, token_key=key).delete()[0])
