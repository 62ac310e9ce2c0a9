"""Small pieces that many templates show."""

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from catalog.covers import generated as covers
from catalog.models import Anime, ListStatus
from catalog.words import translated

register = template.Library()
register.filter("translated", translated)

SCORE_WORDS = {
    1: _("Appalling"),
    2: _("Horrible"),
    3: _("Very bad"),
    4: _("Bad"),
    5: _("Average"),
    6: _("Fine"),
    7: _("Good"),
    8: _("Very good"),
    9: _("Great"),
    10: _("Masterpiece"),
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing of the icon sheet; decoration, so the text beside it says what it means."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons.svg"), name)


@register.simple_tag
def cover_url(anime: Anime) -> str:
    """Where the cover lies; the address changes when the cover does."""
    return f"{reverse('anime-cover', args=[anime.pk])}?v={covers.version(anime.updated_at)}"


@register.simple_tag
def score_words() -> list[tuple[int, str]]:
    """Every score one can give, with a word for it."""
    return [(score, str(word)) for score, word in SCORE_WORDS.items()]


@register.simple_tag
def list_name(status: str) -> str:
    """What the site calls a list."""
    return str(ListStatus(status).label)
