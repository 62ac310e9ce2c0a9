"""The page where people make and revoke the tokens of their programs."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from catalog.accounts.tokens import lacks_verified_address, make_token, revoke_token
from catalog.http import AccountRequest
from catalog.models import ApiToken
from catalog.views.forms import TokenForm


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]  # allauth is not typed
def tokens(request: AccountRequest) -> HttpResponse:
    """One's tokens; making one asks for the password again, and shows its text, this once."""
    unverified = lacks_verified_address(request.user)
    form = TokenForm(request.user, request.POST if request.method == "POST" and not unverified else None)
    text = ""
    if form.is_valid():
        try:
            text = make_token(user=request.user, **form.cleaned_data)[1]
            form = TokenForm(request.user)
        except ValidationError as error:
            form.add_error(None, error)
    mine = ApiToken.objects.filter(user=request.user, expiry__gt=timezone.now())
    return render(
        request, "catalog/tokens.html", {"form": form, "tokens": mine, "text": text, "unverified": unverified}
    )


@require_POST
@login_required
def revoke(request: AccountRequest, key: str) -> HttpResponse:
    if revoke_token(user=request.user, key=key):
        messages.success(request, _("The token is revoked."))
    else:
        messages.error(request, _("You have no such token."))
    return redirect("my-tokens")
