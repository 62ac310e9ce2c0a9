"""Pages kept for those who have said nothing yet: everybody without a session sees the same."""

import hashlib
import re
from collections.abc import Callable
from functools import cache as once
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language

from catalog.http import SiteRequest
from catalog.models import Anime, User

KEPT_S = 300
#: A longer address is nobody's second visit.
MAX_ADDRESS = 300
#: What a page shows of the cookies beside the session.
_SHOWN_COOKIES = ("theme",)
_TOKEN = re.compile(rb'(name="csrfmiddlewaretoken" value=")[^"]*')
View = Callable[..., HttpResponse]


def kept_for_visitors(view: View) -> View:
    """Keep the whole page for visitors until the catalogue or the site's files change, for KEPT_S at most.

    Only for who has no session and no message waiting, and never the token of a form: each gets their own.
    """

    @wraps(view)
    def kept(request: SiteRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not _is_like_all_others(request):
            return view(request, *args, **kwargs)
        key = _key(request)
        body: bytes | None = cache.get(key)
        if body is None:
            response = view(request, *args, **kwargs)
            # Whoever got a session on the way, or an error, sees a page of their own.
            if response.status_code == 200 and request.session.is_empty():
                cache.set(key, response.content, KEPT_S)
            return response
        token = get_token(request).encode()
        response = HttpResponse(_TOKEN.sub(lambda found: found[1] + token, body))
        patch_vary_headers(response, ["HX-Request", "Cookie"])
        return response

    return kept


def _is_like_all_others(request: SiteRequest) -> bool:
    has_own = settings.SESSION_COOKIE_NAME in request.COOKIES or "messages" in request.COOKIES
    is_page = request.method == "GET" and not request.htmx and len(request.get_full_path()) <= MAX_ADDRESS
    return is_page and not has_own and not isinstance(request.user, User)


def _key(request: SiteRequest) -> str:
    shown = [request.COOKIES.get(name, "")[:10] for name in _SHOWN_COOKIES]
    parts = [
        request.get_host(),
        request.get_full_path(),
        get_language() or "",
        *shown,
        code_state(),
        Anime.objects.version(),
    ]
    return "page-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()


@once
def code_state() -> str:
    """Changes with any file of the site: a page names static files that a newer site may not have."""
    digest = hashlib.sha256()
    for package in ("catalog", "common", "evaluation", "recommender", "recsite"):
        for path in sorted((settings.BASE_DIR / package).rglob("*.*")):
            found = path.stat()
            if path.suffix != ".pyc" and not path.is_dir():
                digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
