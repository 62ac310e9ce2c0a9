"""Rows of home below the list: hidden gems, what was planned, and what people of a near taste love."""

from collections.abc import Iterable

import numpy as np
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalog.feedback import Feedback, feedback_of
from catalog.http import SiteRequest
from catalog.models import Anime, ListStatus, User
from catalog.taste.near_tastes import loved_nearby
from catalog.views.cards import FIELDS, Card
from recommender.serving import lists
from recommender.serving.anime_arrays import CatalogueArrays, catalogue
from recommender.serving.controls import Controls, extras_of_unbegun
from recommender.serving.data_state import data_state
from recommender.serving.models.artifacts import Model
from recommender.serving.models.published import published_model
from recommender.serving.tastes import Taste, community_mean, watched
from recommender.views.forms import FAME
from recommender.views.related import Shelf

SHOWN = 12
#: What the community scores lower is no gem.
LEAST_GEM_SCORE = 7.2
#: And what fewer know has no score to go by.
LEAST_GEM_MEMBERS = 1000
GEMS = Controls(min_members=LEAST_GEM_MEMBERS, max_members=FAME["hidden"][1], min_score=LEAST_GEM_SCORE, sequels=False)
PLANNED = Controls(hide_listed=False)


@require_safe
@never_cache
def rows(request: SiteRequest) -> HttpResponse:
    """The rows that have something in them; none without a model, or for who has said nothing."""
    feedback, anime, model = feedback_of(request), catalogue(), published_model()
    shelves = _shelves(request, feedback, anime, model) if model and feedback.ratings else []
    return render(request, "recommender/_rows.html", {"shelves": shelves})


def _shelves(request: SiteRequest, feedback: Feedback, anime: CatalogueArrays, model: Model) -> list[Shelf]:
    shows_adult = isinstance(request.user, User) and request.user.shows_adult

    def best(controls: Controls, exclude: Iterable[int] = ()) -> dict[int, float | None]:
        found = lists.recommend_for_ratings(
            feedback.ratings,
            k=SHOWN,
            controls=controls,
            shows_adult=shows_adult,
            statuses=feedback.statuses,
            exclude=set(exclude),
            user_id=request.user.pk,
            model=model,
            anime=anime,
        )
        return {item.anime_id: item.predicted_rating for item in found.items}

    planned = {pk for pk, status in feedback.statuses.items() if status == ListStatus.PLAN_TO_WATCH}
    found = {
        "planned": best(PLANNED, set(anime.ids.tolist()) - planned) if planned else {},
        "gems": best(GEMS),
        "near": dict.fromkeys(_near(feedback, anime, model)),
    }
    texts = {
        "planned": (_("Finish what you planned"), _("From your list, what fits you best first.")),
        "gems": (_("Hidden gems"), _("Well rated and little known.")),
        "near": (_("From a taste near yours"), _("Loved by the people who agree most with your favourites.")),
    }
    wanted = {pk for some in found.values() for pk in some}
    rows = Anime.objects.visible_to(request.user).only(*FIELDS).in_bulk(wanted)
    return [
        Shelf(key, *texts[key], [Card(rows[pk], predicted=score) for pk, score in some.items() if pk in rows][:SHOWN])
        for key, some in found.items()
        if any(pk in rows for pk in some)
    ]


def _near(feedback: Feedback, anime: CatalogueArrays, model: Model) -> list[int]:
    """What people nearby love, without extras of what one has not begun and without what one disliked the like of."""
    known = {*feedback.ratings, *feedback.statuses}
    loved = loved_nearby(feedback.ratings, known=known, version=data_state().version)
    barred = extras_of_unbegun(anime, {*feedback.ratings, *watched(feedback.statuses)})
    barred |= Taste.of(feedback.ratings, feedback.statuses, community_mean(model, anime)).disliked_franchises(anime)
    places = anime.positions(np.array(loved, dtype=np.int64))
    return [pk for pk, place in zip(loved, places, strict=True) if place >= 0 and not barred[place]]
