"""Recommendations as pages: home, with the first of them, and the whole list with its filters."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalog.feedback import Feedback, feedback_of
from catalog.http import SiteRequest, wants_fragment
from catalog.models import Anime, User
from catalog.views.cards import FIELDS, Card, Reason, cards
from catalog.views.visitor_cache import kept_for_visitors
from recommender.serving import lists
from recommender.serving.anime_arrays import CatalogueArrays, catalogue
from recommender.serving.data_state import data_state
from recommender.serving.shelves import related
from recommender.serving.shelves.starters import starters
from recommender.views.forms import ControlsForm

#: With fewer ratings than this, home still offers well-known anime to rate.
ENOUGH_RATINGS = 5
STARTERS_SHOWN = 12
#: How many of the list home shows, and how many a page of the whole list has.
FIRST, STEP = 12, 24
#: Those that lie folded.
FILTERS = {"genre", "without", "type", "since", "until", "length", "score", "fame"}
LEAST_SCORES = (6, 6.5, 7, 7.5, 8, 8.5)
LAST_PAGE = lists.MAX_OFFSET // STEP
#: "More like this" keeps to so many of the nearest, and "less like this" goes without so many.
NEAR, TOO_NEAR = 300, 150


@require_safe
@never_cache
@kept_for_visitors
def home(request: SiteRequest) -> HttpResponse:
    """The best of the list; beside it, for whoever has rated little, anime to rate."""
    feedback, anime = feedback_of(request), catalogue()
    has_enough = isinstance(request.user, User) and len(feedback.ratings) >= ENOUGH_RATINGS
    offers = () if has_enough and "starters" not in request.GET else _starters(request, anime)
    return render(request, "recommender/home.html", _first_context(request, feedback, anime, also=offers))


@require_safe
@never_cache
def recommendations(request: SiteRequest) -> HttpResponse:
    """The whole list with its filters, or for htmx the list alone: the first of it where `?first` asks for that, and
    `?starters=` says which anime to rate stand beside it."""
    feedback, anime = feedback_of(request), catalogue()
    if "first" in request.GET or "starters" in request.GET:
        also = _starters(request, anime) if "starters" in request.GET else ()
        context, page = _first_context(request, feedback, anime, also=also), "recommender/home.html"
    else:
        context, page = _whole_context(request, feedback, anime), "recommender/recommendations.html"
    response = render(request, "recommender/_list.html" if wants_fragment(request) else page, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _first_context(
    request: SiteRequest, feedback: Feedback, anime: CatalogueArrays, also: tuple[int, ...]
) -> dict[str, Any]:
    """The beginning of the list. Anime of `also` stand beside it to be rated, and are not in the list as well."""
    form = ControlsForm(request.GET, anime, shows_adult=_shows_adult(request))
    context = _list_context(request, feedback, anime, form, k=FIRST, also=also)
    beside = _starters_page(request) if also else None
    own_query = {"first": 1, "starters": beside, "method": request.GET.get("method")}
    found = context.pop("anime")
    return context | {
        "starters": cards([found[pk] for pk in also if pk in found], feedback),
        "more_starters": _query(request, starters=_starters_page(request) + 1),
        "list_query": [(name, value) for name, value in own_query.items() if value is not None],
        "is_first": True,
    }


def _whole_context(request: SiteRequest, feedback: Feedback, anime: CatalogueArrays) -> dict[str, Any]:
    """One page of the list, as the filters say."""
    form = ControlsForm(request.GET, anime, shows_adult=_shows_adult(request))
    page = min(max(_number(request, "page", default=1), 1), LAST_PAGE)
    context = _list_context(request, feedback, anime, form, k=STEP + 1, offset=(page - 1) * STEP)
    shown = context["cards"]
    found = context.pop("anime")
    known = {*form.fields, "page", "method"}
    has_next = len(shown) > STEP and page < LAST_PAGE
    return context | {
        "cards": shown[:STEP],
        "form": form,
        "least_scores": LEAST_SCORES,
        "filters_used": len(form.chosen.keys() & FILTERS),
        "near": [
            (name, found[pk], _query(request, page=None, **{name: [one for one in form.chosen[name] if one != pk]}))
            for name in ("like", "unlike")
            for pk in form.chosen.get(name, ())
            if pk in found
        ],
        "near_query": _query(request, page=None),
        "list_query": [(name, value) for name, some in request.GET.lists() if name in known for value in some],
        "page": page,
        "previous_page": _query(request, page=page - 1) if page > 1 else None,
        "next_page": _query(request, page=page + 1) if has_next else None,
    }


def _list_context(
    request: SiteRequest,
    feedback: Feedback,
    arrays: CatalogueArrays,
    form: ControlsForm,
    *,
    k: int,
    offset: int = 0,
    also: tuple[int, ...] = (),
) -> dict[str, Any]:
    found, method, problem = _recommend(request, feedback, arrays, form, k=k, offset=offset, also=also)
    reasons = {pk for item in found.items for pk in item.because}
    near = {*form.chosen.get("like", ()), *form.chosen.get("unlike", ())}
    anime = _by_id(request, {item.anime_id for item in found.items} | reasons | near | set(also))
    return {
        "cards": [_card(item, anime, feedback) for item in found.items if item.anime_id in anime],
        "anime": anime,
        "list": found,
        "rated": len(feedback.ratings),
        "method": method,
        "methods": lists.METHODS if _is_staff(request) else (),
        "problem": problem,
        "ignored": form.ignored,
        "is_simulated": data_state().is_simulated,
    }


def _recommend(
    request: SiteRequest,
    feedback: Feedback,
    anime: CatalogueArrays,
    form: ControlsForm,
    *,
    k: int,
    offset: int,
    also: tuple[int, ...],
) -> tuple[lists.RecommendationList, str, str]:
    """The list, the method asked for, and what is wrong with that method if the list had to do without."""
    exclude = {*also, *_kept_away(anime, form, shows_adult=_shows_adult(request))}

    def by(method: str) -> lists.RecommendationList:
        return lists.recommend_for_ratings(
            feedback.ratings,
            k=k,
            offset=offset,
            method=method,
            controls=form.controls,
            shows_adult=_shows_adult(request),
            statuses=feedback.statuses,
            exclude=exclude,
            user_id=request.user.pk,
            anime=anime,
        )

    wanted = request.GET.get("method", "") if _is_staff(request) else ""
    if wanted not in ("", *lists.METHODS):
        return by(lists.Method.AUTO), lists.Method.AUTO, _("There is no method %(name)s.") % {"name": wanted}
    try:
        return by(wanted or lists.Method.AUTO), wanted or lists.Method.AUTO, ""
    except lists.MethodUnavailable as error:
        return by(lists.Method.AUTO), wanted, str(error)


def _kept_away(anime: CatalogueArrays, form: ControlsForm, *, shows_adult: bool) -> set[int]:
    """What "more like this" and "less like this" leave out: all that is far, and all that is near."""

    def near(pk: int, k: int) -> set[int]:
        if pk not in anime.ids:
            return set()
        found = lists.similar(pk, k=k, shows_adult=shows_adult, anime=anime)
        return {pk, *(found or related.alike_in_content(anime, pk, k=k, shows_adult=shows_adult))}

    wanted = set().union(*(near(pk, NEAR) for pk in form.chosen.get("like", ())))
    away = set().union(*(near(pk, TOO_NEAR) for pk in form.chosen.get("unlike", ())))
    liked = set(form.chosen.get("like", ()))
    return away | liked | (set(anime.ids.tolist()) - wanted if wanted else set())


def _card(item: lists.Recommended, anime: dict[int, Anime], feedback: Feedback) -> Card:
    because = tuple(Reason(anime[pk], feedback.ratings[pk]) for pk in item.because if pk in anime)
    return Card(anime=anime[item.anime_id], predicted=item.predicted_rating, because=because)


def _by_id(request: SiteRequest, ids: Iterable[int]) -> dict[int, Anime]:
    return Anime.objects.visible_to(request.user).only(*FIELDS).in_bulk(list(ids))


def _starters(request: SiteRequest, anime: CatalogueArrays) -> tuple[int, ...]:
    """The page of them that is asked for. Those rated stay, so that none moves under the pointer."""
    offered = starters(anime)
    pages = max(1, -(-len(offered) // STARTERS_SHOWN))
    first = _starters_page(request) % pages * STARTERS_SHOWN
    return offered[first : first + STARTERS_SHOWN]


def _starters_page(request: SiteRequest) -> int:
    return _number(request, "starters", default=0)


def _query(request: SiteRequest, **changes: int | list[int] | None) -> str:
    """The page's query with some parameters set or, where None, left out."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query.setlist(name, [str(one) for one in (value if isinstance(value, list) else [value])])
    return f"?{query.urlencode()}"


def _number(request: SiteRequest, name: str, *, default: int) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else default


def _is_staff(request: SiteRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_staff


def _shows_adult(request: SiteRequest) -> bool:
    return isinstance(request.user, User) and request.user.shows_adult
