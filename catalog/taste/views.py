"""My taste, drawn."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalog.http import AccountRequest
from catalog.models import MAX_SCORE, MIN_SCORE, ListStatus
from catalog.taste import distribution
from catalog.taste.profile import ENOUGH, Apart, Taste, taste_of, watched_by
from catalog.views.cards import Card
from catalog.words import translated
from common import small_charts


@require_safe
@never_cache
@login_required
def my_taste(request: AccountRequest) -> HttpResponse:
    """Statistics and pictures of one's ratings and lists."""
    taste = taste_of(request.user)
    watched = watched_by(request.user)
    context: dict[str, object] = {
        "taste": taste,
        "enough": ENOUGH,
        "episodes": watched.episodes,
        "lists": [(label, watched.by_status.get(value, 0)) for value, label in ListStatus.choices],
    }
    if taste:
        context |= {
            "habit": _habit(taste),
            "genres": _genres(taste),
            "eras": _eras(taste),
            "above": _cards(taste.above),
            "below": _cards(taste.below),
            "lean_size": abs(taste.lean or 0),
        }
    return render(request, "catalog/taste.html", context)


def _habit(taste: Taste) -> SafeString:
    labels = [str(score) for score in range(MIN_SCORE, MAX_SCORE + 1)]
    community = distribution.of_members()
    marks = distribution.shares(community) if any(community) else None
    return _picture(
        small_charts.columns(_("How often I give each score"), labels, distribution.shares(taste.counts), marks=marks)
    )


def _genres(taste: Taste) -> SafeString | None:
    rows = [
        small_charts.Row(
            translated(genre.name), genre.mean, genre.community, _("%(count)s rated") % {"count": genre.rated}
        )
        for genre in taste.genres
    ]
    low, high = MIN_SCORE, MAX_SCORE
    return _picture(small_charts.rows(_("My mean score by genre"), rows, low=low, high=high)) if rows else None


def _eras(taste: Taste) -> SafeString | None:
    if not taste.eras:
        return None
    total = sum(rated for _decade, rated in taste.eras)
    labels = [_("%(decade)ss") % {"decade": decade} for decade, _rated in taste.eras]
    return _picture(small_charts.columns(_("Decades of what I rated"), labels, [n / total for _d, n in taste.eras]))


def _cards(some: list[Apart]) -> list[Card]:
    return [Card(anime=one.anime, score=one.score) for one in some]


def _picture(svg: str) -> SafeString:
    return mark_safe(svg)  # noqa: S308  its texts are escaped where it is drawn
