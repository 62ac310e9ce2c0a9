"""Recommendations as pages: home, its list alone for htmx, and what is like one anime."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalog.cards import FIELDS, Card, Reason, cards
from catalog.feedback import Feedback, feedback_of
from catalog.http import SiteRequest, wants_fragment
from catalog.models import Anime, Dataset, User
from recommender import serving
from recommender.starters import starters

#: With fewer ratings than this, home still offers well-known anime to rate.
ENOUGH_RATINGS = 5
STARTERS_SHOWN = 12
BESIDE, STEP = 12, 24


@require_safe
@never_cache
def home(request: SiteRequest) -> HttpResponse:
    """Recommendations; beside them, for whoever has rated little, anime to rate."""
    feedback = feedback_of(request)
    has_enough = isinstance(request.user, User) and len(feedback.ratings) >= ENOUGH_RATINGS
    offers = () if has_enough and "starters" not in request.GET else _starters(request)
    return render(request, "recommender/home.html", _list_context(request, feedback, also=offers))


@require_safe
@never_cache
def recommendations_list(request: SiteRequest) -> HttpResponse:
    """The list alone, as it is now (`?starters=` says which anime to rate stand beside it)."""
    also = _starters(request) if "starters" in request.GET else ()
    context = _list_context(request, feedback_of(request), also=also)
    template = "recommender/_list.html" if wants_fragment(request) else "recommender/home.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _list_context(request: SiteRequest, feedback: Feedback, also: tuple[int, ...] = ()) -> dict[str, Any]:
    """What the list shows. Anime of `also` stand beside it to be rated, and are not in the list as well."""
    shown = min(max(_number(request, "show", default=BESIDE if also else STEP), 1), serving.MAX_K)
    found, method, problem = _recommend(request, feedback, k=shown + 1, also=also)
    items = found.items[:shown]
    reasons = {anime for item in items for anime in item.because}
    anime = _by_id(request, {item.anime_id for item in items} | reasons | set(also))
    has_more = len(found.items) > shown
    beside = _starters_page(request) if also else None
    own_query = {"show": shown, "starters": beside, "method": request.GET.get("method")}
    return {
        "cards": [_card(item, anime, feedback) for item in items if item.anime_id in anime],
        "starters": cards([anime[pk] for pk in also if pk in anime], feedback),
        "more_starters": _query(request, starters=_starters_page(request) + 1),
        "list_query": [(name, value) for name, value in own_query.items() if value is not None],
        "longer_list": _query(request, starters=beside, show=min(shown + STEP, serving.MAX_K)) if has_more else None,
        "list": found,
        "rated": len(feedback.ratings),
        "method": method,
        "methods": serving.METHODS if _is_staff(request) else (),
        "problem": problem,
        "is_simulated": is_simulated(),
    }


def _recommend(
    request: SiteRequest, feedback: Feedback, *, k: int, also: tuple[int, ...]
) -> tuple[serving.RecommendationList, str, str]:
    """The list, the method asked for, and what is wrong with that method if the list had to do without."""

    def by(method: str) -> serving.RecommendationList:
        return serving.recommend_for_ratings(
            feedback.ratings,
            k=k,
            method=method,
            shows_adult=_shows_adult(request),
            statuses=feedback.statuses,
            exclude=also,
            user_id=request.user.pk,
        )

    wanted = request.GET.get("method", "") if _is_staff(request) else ""
    if wanted not in ("", *serving.METHODS):
        return by(serving.Method.AUTO), serving.Method.AUTO, _("There is no method %(name)s.") % {"name": wanted}
    try:
        return by(wanted or serving.Method.AUTO), wanted or serving.Method.AUTO, ""
    except serving.MethodUnavailable as error:
        return by(serving.Method.AUTO), wanted, str(error)


def _card(item: serving.Recommended, anime: dict[int, Anime], feedback: Feedback) -> Card:
    because = tuple(Reason(anime[pk], feedback.ratings[pk]) for pk in item.because if pk in anime)
    return Card(anime=anime[item.anime_id], predicted=item.predicted_rating, because=because)


def _by_id(request: SiteRequest, ids: Iterable[int]) -> dict[int, Anime]:
    return Anime.objects.visible_to(request.user).only(*FIELDS).in_bulk(list(ids))


def _starters(request: SiteRequest) -> tuple[int, ...]:
    """The page of them that is asked for. Those rated stay, so that none moves under the pointer."""
    offered = starters()
    pages = max(1, -(-len(offered) // STARTERS_SHOWN))
    first = _starters_page(request) % pages * STARTERS_SHOWN
    return offered[first : first + STARTERS_SHOWN]


def _starters_page(request: SiteRequest) -> int:
    return _number(request, "starters", default=0)


def _query(request: SiteRequest, **changes: int | None) -> str:
    """The page's query with some parameters set or, where None, left out."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"


def _number(request: SiteRequest, name: str, *, default: int) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else default


def is_simulated() -> bool:
    """Whether ratings that models learn from were made up by a program."""
    return Dataset.objects.filter(is_simulated=True).exists()


def _is_staff(request: SiteRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_staff


def _shows_adult(request: SiteRequest) -> bool:
    return isinstance(request.user, User) and request.user.shows_adult
