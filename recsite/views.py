"""Pages of the site itself: what a browser shows when it cannot reach us."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

#: What the offline page needs beside itself.
OFFLINE_FILES = ("site.css", "mark.svg")


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """The page that the service worker keeps and shows when the network is gone."""
    return render(request, "offline.html")


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """Served from the root, because a worker governs only what lies below its own address."""
    context = {"files": [static(name) for name in OFFLINE_FILES]}
    response = render(request, "sw.js", context, content_type="text/javascript")
    patch_cache_control(response, no_cache=True)
    return response
