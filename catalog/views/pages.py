"""Browse, one anime, its cover, and a person's own ratings, lists and settings."""

from collections.abc import Iterable
from typing import TypeVar, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from catalog.covers import generated as covers
from catalog.feedback import feedback_of
from catalog.http import AccountRequest, SiteRequest, wants_fragment
from catalog.models import (
    ADULT_GENRE,
    MAX_SCORE,
    MIN_SCORE,
    Anime,
    Genre,
    ListEntry,
    ListStatus,
    Rating,
    User,
)
from catalog.taste import distribution
from catalog.views.cards import FIELDS, Card, cards
from catalog.views.forms import BrowseForm, NarrowForm, SettingsForm
from catalog.views.visitor_cache import kept_for_visitors
from common import small_charts

PAGE_SIZE = 30
SORTS = {"recent": _("Latest first"), "score": _("Highest first"), "title": _("By title")}
SCORE_LABELS = [str(score) for score in range(MIN_SCORE, MAX_SCORE + 1)]
Row = TypeVar("Row", Rating, ListEntry)


@require_safe
@kept_for_visitors
def anime_list(request: SiteRequest) -> HttpResponse:
    """Search and filters as a page, or only its results for htmx."""
    form = BrowseForm(request.GET, _genres(request))
    found = form.results(Anime.objects.visible_to(request.user).only(*FIELDS))
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    shown = list(page.object_list)
    context = {
        "form": form,
        "page": page,
        "page_numbers": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "cards": cards(shown, feedback_of(request, [anime.pk for anime in shown])),
        "suggestions": [] if shown else _suggestions(request),
    }
    template = "catalog/_results.html" if wants_fragment(request) else "catalog/anime_list.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _genres(request: SiteRequest) -> list[Genre]:
    """Those that the person may choose from."""
    shows_adult = isinstance(request.user, User) and request.user.shows_adult
    return [genre for genre in Genre.objects.all() if shows_adult or genre.name != ADULT_GENRE]


def _suggestions(request: SiteRequest) -> list[Card]:
    """What to look at when nothing was found."""
    popular = list(Anime.objects.visible_to(request.user).only(*FIELDS).order_by("-members", "mal_id")[:6])
    return cards(popular, feedback_of(request, [anime.pk for anime in popular]))


@require_safe
@kept_for_visitors
def anime_detail(request: SiteRequest, mal_id: int) -> HttpResponse:
    anime = Anime.objects.visible_to(request.user).with_genres().filter(pk=mal_id).first()
    if anime is None:
        raise Http404(str(_("This anime is not in the catalogue.")))
    [card] = cards([anime], feedback_of(request, [anime.pk]))
    counts = distribution.of_anime(anime.pk)
    picture = ""
    if any(counts):
        chosen = card.score - 1 if card.score else None
        title = _("Share of each score from 1 to 10")
        picture = small_charts.columns(str(title), SCORE_LABELS, distribution.shares(counts), chosen=chosen)
    context = {
        "card": card,
        "anime": anime,
        "statuses": ListStatus.choices,
        "distribution": mark_safe(picture),  # noqa: S308  escaped where it is drawn
        "scorers": sum(counts),
    }
    return render(request, "catalog/anime_detail.html", context)


@require_safe
def anime_cover(request: SiteRequest, mal_id: int) -> HttpResponseBase:
    """The generated cover. Its address carries a version, so a browser need never ask for the same one again."""
    anime = (
        Anime.objects.filter(pk=mal_id)
        .only("name", "japanese_name", "type", "aired_from", "is_adult", "updated_at")
        .first()
    )
    if anime is None or (anime.is_adult and not getattr(request.user, "shows_adult", False)):
        raise Http404(str(_("This anime is not in the catalogue.")))
    version = covers.version(anime.updated_at)
    etag = f'"{version}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(content_type="image/svg+xml", headers={"ETag": etag})
        year = str(anime.aired_from.year) if anime.aired_from else ""
        response.content = covers.cover(
            mal_id=anime.pk,
            name=anime.name,
            japanese_name=anime.japanese_name,
            genres=set(anime.genres.values_list("name", flat=True)),
            # Not in the reader's language: one cover is kept for all of them.
            note=" · ".join(filter(None, [anime.type, year])),
        ).encode()
    if anime.is_adult:
        patch_cache_control(response, private=True, no_cache=True)
    elif request.GET.get("v") == version:
        patch_cache_control(response, public=True, max_age=365 * 24 * 3600, immutable=True)
    else:
        patch_cache_control(response, public=True, max_age=3600)
    return response


@require_safe
@login_required
def my_ratings(request: AccountRequest) -> HttpResponse:
    """One's ratings, or one of one's lists (`?show=`)."""
    ratings = _visible_to(request.user, Rating.objects.filter(user=request.user))
    entries = _visible_to(request.user, ListEntry.objects.filter(user=request.user))
    counts = dict(entries.order_by().values_list("status").annotate(Count("pk")))
    shown = request.GET.get("show", "")
    sort = request.GET.get("sort", "recent")
    if shown in ListStatus.values:
        orders = {"recent": ["-updated_at", "-pk"], "title": ["anime__name", "pk"]}
        rows: QuerySet[Rating] | QuerySet[ListEntry] = entries.filter(status=shown)
    else:
        shown = ""
        orders = {"recent": ["-rated_at", "-pk"], "score": ["-score", "anime__name"], "title": ["anime__name", "pk"]}
        rows = ratings
    sort = sort if sort in orders else "recent"
    form = NarrowForm(request.GET, _genres(request))
    if form.is_filtered:
        anime_wanted = form.narrowed(Anime.objects.order_by())
        if wanted := form.cleaned_data.get("q"):
            anime_wanted = anime_wanted.filter(Q(name__icontains=wanted) | Q(japanese_name__icontains=wanted))
        rows = rows.filter(anime__in=anime_wanted)
    only = [f"anime__{name}" for name in FIELDS]
    page = Paginator(rows.select_related("anime").only(*only).order_by(*orders[sort]), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    anime = [row.anime for row in cast(Iterable[Rating | ListEntry], page.object_list)]
    context = {
        "page": page,
        "page_numbers": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "cards": cards(anime, feedback_of(request, [one.pk for one in anime])),
        "shown": shown,
        "form": form,
        "sort": sort,
        "sorts": [(key, label) for key, label in SORTS.items() if key in orders],
        "tabs": [
            ("", _("Ratings"), page.paginator.count if not shown and not form.is_filtered else ratings.count()),
            *((value, label, counts.get(value, 0)) for value, label in ListStatus.choices),
        ],
        "statuses": ListStatus.choices,
    }
    return render(request, "catalog/my_ratings.html", context)


def _visible_to(user: User, rows: QuerySet[Row]) -> QuerySet[Row]:
    return rows if user.shows_adult else rows.filter(anime__is_adult=False)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def settings(request: AccountRequest) -> HttpResponse:
    form = SettingsForm(request.POST if request.method == "POST" else None, instance=request.user)
    if form.is_valid():
        form.save()
        messages.success(request, _("Your settings are saved."))
        return redirect("settings")
    return render(request, "catalog/settings.html", {"form": form})
