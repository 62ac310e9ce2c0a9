"""What every page's template knows."""

from django.conf import settings
from django.http import HttpRequest

from catalog.http import page_path

THEMES = ("light", "dark")


def site(request: HttpRequest) -> dict[str, object]:
    """`theme` is empty where the browser's own setting decides; a cookie keeps a choice, so that no page flashes."""
    theme = request.COOKIES.get("theme")
    return {
        "site_name": settings.SITE_NAME,
        "theme": theme if theme in THEMES else "",
        "page_path": page_path(request),
    }
