"""What belongs beside one anime: its franchise, and what is like it in three ways."""

from dataclasses import dataclass

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from catalog.feedback import feedback_of
from catalog.http import SiteRequest, wants_fragment
from catalog.models import Anime, User
from catalog.taste.also_liked import also_liked
from catalog.views.cards import FIELDS, Card, cards
from recommender.serving import lists
from recommender.serving.anime_arrays import catalogue
from recommender.serving.data_state import data_state
from recommender.serving.models.published import published_model
from recommender.serving.shelves import related

SHOWN = 12
#: Of a franchise of hundreds of shorts, as many of the first.
FRANCHISE_SHOWN = 40


@dataclass(frozen=True)
class Shelf:
    """`key` names it in the page; `here` is set where the anime itself is among the cards."""

    key: str
    heading: str
    note: str
    cards: list[Card]
    here: int | None = None


@require_safe
def similar_anime(request: SiteRequest, mal_id: int) -> HttpResponse:
    """The shelves, as a part of the anime's page or, without script, as a page."""
    shows_adult = isinstance(request.user, User) and request.user.shows_adult
    arrays = catalogue()
    if mal_id not in arrays.ids:
        raise Http404(_("This anime is not in the catalogue."))
    model = published_model()
    franchise = related.franchise(arrays, mal_id, shows_adult=shows_adult)
    family = set(franchise)
    liked = [pk for pk in also_liked(mal_id, version=data_state().version) if pk not in family]
    content = related.alike_in_content(arrays, mal_id, k=SHOWN + len(family), shows_adult=shows_adult)
    taste = related.well_rated(
        model, lists.similar(mal_id, k=4 * SHOWN, shows_adult=shows_adult, model=model, anime=arrays)
    )
    ids = {
        "franchise": list(franchise[:FRANCHISE_SHOWN]) if len(franchise) > 1 else [],
        "liked": liked[: 2 * SHOWN],  # adult titles go below
        "taste": [pk for pk in taste if pk not in family][:SHOWN],
        "content": [pk for pk in content if pk not in family][:SHOWN],
    }
    wanted = {pk for some in ids.values() for pk in some} | {mal_id}
    anime = Anime.objects.visible_to(request.user).only(*FIELDS).in_bulk(wanted)
    if mal_id not in anime:
        raise Http404(_("This anime is not in the catalogue."))
    feedback = feedback_of(request, wanted)
    texts = {
        "franchise": (_("The franchise in order"), ""),
        "liked": (_("People who liked it also liked"), ""),
        "taste": (_("Close in taste"), _("Rated alike by the same kind of people.")),
        "content": (_("Close in content"), _("The same rare genres, from a similar time and of the same type.")),
    }
    shelves = []
    for key, some in ids.items():
        limit = FRANCHISE_SHOWN if key == "franchise" else SHOWN
        shown = cards([anime[pk] for pk in some if pk in anime][:limit], feedback)
        if shown:
            shelves.append(Shelf(key, *texts[key], shown, mal_id if key == "franchise" else None))
    context = {
        "anime": anime[mal_id],
        "shelves": shelves,
        "is_simulated": data_state().is_simulated,
    }
    template = "recommender/_similar.html" if wants_fragment(request) else "recommender/similar.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response
