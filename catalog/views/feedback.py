"""Rating an anime and putting it on a list, from anywhere on the site, with an account or without."""

import json

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from catalog import feedback
from catalog.http import SiteRequest, safe_next
from catalog.models import Anime, ListStatus, User
from catalog.views.forms import RatingForm, StatusForm

#: What tells the page that ratings or lists are no longer what it shows.
CHANGED = "ratings-changed"


@require_POST
def rate(request: SiteRequest, mal_id: int) -> HttpResponse:
    """Give or, with an empty score, take back a rating."""
    anime = _anime(request, mal_id)
    form = RatingForm(request.POST)
    if "score" not in request.POST:
        return _refuse(request, _("No score was chosen."))
    if not form.is_valid():
        return _refuse(request, str(form.errors["score"][0]))
    score: int | None = form.cleaned_data["score"]
    before = feedback.feedback_of(request, [mal_id]).ratings.get(mal_id)
    try:
        if score is None:
            feedback.unrate(request, mal_id)
            said = _("Your rating of %(anime)s is removed.") % {"anime": anime.title}
        else:
            feedback.rate(request, mal_id, score)
            said = _("You rated %(anime)s %(score)s.") % {"anime": anime.title, "score": score}
    except ValidationError as error:
        return _refuse(request, error.messages[0])
    return _answer(request, anime, said, "score", before=before, now=score)


@require_POST
def list_status(request: SiteRequest, mal_id: int) -> HttpResponse:
    """Put the anime on a list or, with an empty status, take it off."""
    anime = _anime(request, mal_id)
    form = StatusForm(request.POST)
    if "status" not in request.POST:
        return _refuse(request, _("No list was chosen."))
    if not form.is_valid():
        return _refuse(request, str(form.errors["status"][0]))
    status: str = form.cleaned_data["status"]
    before = feedback.feedback_of(request, [mal_id]).statuses.get(mal_id, "")
    try:
        if status:
            feedback.set_status(request, mal_id, status)
            said = _("%(anime)s: %(status)s.") % {"anime": anime.title, "status": ListStatus(status).label}
        else:
            feedback.clear_status(request, mal_id)
            said = _("%(anime)s is off your list.") % {"anime": anime.title}
    except ValidationError as error:
        return _refuse(request, error.messages[0])
    return _answer(request, anime, said, "status", before=before, now=status)


def _anime(request: SiteRequest, mal_id: int) -> Anime:
    anime = Anime.objects.visible_to(request.user).only("name", "japanese_name").filter(pk=mal_id).first()
    if anime is None:
        raise Http404(_("This anime is not in the catalogue."))
    return anime


def _answer(
    request: SiteRequest, anime: Anime, said: str, field: str, *, before: int | str | None, now: int | str | None
) -> HttpResponse:
    """For htmx a notice with a way back, and the news as an event; for a plain form the page it came from."""
    if not request.htmx:
        messages.success(request, said)
        return redirect(safe_next(request, anime.get_absolute_url()))
    is_undo = "undo" in request.POST
    response = render(
        request,
        "catalog/_notice.html",
        {
            "text": f"{_('Undone.')} {said}" if is_undo else said,
            "anime": anime,
            "field": field,
            "before": "" if before is None else before,
            "offers_undo": before != now and not is_undo,
            "offers_account": not isinstance(request.user, User),
        },
    )
    response["HX-Trigger"] = json.dumps({CHANGED: {"anime": anime.pk, field: now}})
    return response


def _refuse(request: SiteRequest, reason: str) -> HttpResponse:
    if request.htmx:
        return render(request, "catalog/_notice.html", {"text": reason, "is_error": True}, status=400)
    return render(request, "400.html", {"reason": reason}, status=400)
