"""Pages on which a reviewer scores, one after the other, what the judge scored."""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from catalog.http import AccountRequest
from catalog.models import Anime
from evaluation.judging.models import Experiment, Review
from evaluation.judging.review import reviewing

View = Callable[..., HttpResponse]


def _for_reviewers(view: View) -> View:
    """Whoever is not signed in signs in first; whoever may not review is refused."""

    @wraps(view)
    @login_required
    @permission_required("evaluation.change_review", raise_exception=True)
    @never_cache
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return view(request, *args, **kwargs)

    return guarded


@_for_reviewers
@require_safe
def queues(request: AccountRequest) -> HttpResponse:
    """What there is to review, by experiment."""
    return render(request, "evaluation/review/queues.html", {"queues": reviewing.queues(request.user)})


@_for_reviewers
@require_safe
def review(request: AccountRequest, experiment: int) -> HttpResponse:
    """The reviewer's next anime of an experiment: first without the judge's score, then beside it."""
    found = get_object_or_404(Experiment, pk=experiment)
    current = reviewing.next_review(reviewer=request.user, experiment=found)
    context = {"experiment": found, "queue": reviewing.queue(request.user, found), "review": current}
    if current is None:
        return render(request, "evaluation/review/finished.html", context)
    item, subject = current.item, current.item.judgement.subject
    anime = Anime.objects.with_genres().in_bulk([item.anime_id, *subject.watched])
    ratings = dict(subject.history)
    context |= {
        "item": item,
        "anime": anime[item.anime_id],
        "watched": [(anime[pk], ratings.get(pk)) for pk in subject.watched if pk in anime],
        "n_rated": len(ratings),
        "is_rated": current.state == Review.State.RATED,
    }
    return render(request, "evaluation/review/review.html", context)


@_for_reviewers
@require_POST
def answer(request: AccountRequest, experiment: int, pk: int) -> HttpResponse:
    """Take the score, the verdict or the skip of one's own review, and go on."""
    current = get_object_or_404(Review, pk=pk, reviewer=request.user, item__judgement__experiment=experiment)
    try:
        _take(request, current)
    except reviewing.NotPossible as error:
        messages.error(request, str(error))
    return redirect("review", experiment)


def _take(request: HttpRequest, current: Review) -> None:
    said = request.POST
    if "score" in said:
        score = said["score"]
        reviewing.rate(review=current, score=int(score) if score.isascii() and score.isdigit() else 0)
    elif said.get("agrees") in ("yes", "no"):
        reviewing.conclude(review=current, agrees=said["agrees"] == "yes", comment=said.get("comment", "").strip())
    elif "skip" in said:
        reviewing.skip(review=current)
    else:
        raise reviewing.NotPossible(_("No answer was chosen: press one of the buttons."))
