"""Requests as the middleware leaves them, and where to go back to after a plain form post."""

from contextlib import suppress

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from catalog.models import User


class SiteRequest(HttpRequest):
    """What every view gets."""

    user: User | AnonymousUser
    htmx: HtmxDetails


class AccountRequest(SiteRequest):
    """What a view behind `login_required` gets."""

    user: User


def wants_fragment(request: SiteRequest) -> bool:
    """Whether htmx asks for a part of the page; when it rebuilds a page of its history it wants the whole."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def page_path(request: HttpRequest) -> str:
    """The path and query of the page that the person looks at, also when htmx asks for a part of it."""
    # An error page may be for a request that did not get as far as the htmx middleware.
    if htmx := getattr(request, "htmx", None):
        with suppress(ValueError):  # the header may name an address that cannot be taken apart
            return htmx.current_url_abs_path or "/"
        return "/"
    return request.get_full_path()


def safe_next(request: HttpRequest, default: str) -> str:
    """The address that the form wants to go back to, when it is one of this site's, else `default`."""
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else default
