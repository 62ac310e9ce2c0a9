"""What the person behind a request has said of anime: an account's rows or, for a visitor, the session's.

A visitor needs no account to rate: what they say is kept in rows of their session and moves into the account that they
make or log in to. Views call this and need not know which of the two it is. The rows are not in the session's own data,
because a session is read and written whole: of two requests at once, one would take back what the other kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import CharField, PositiveSmallIntegerField, QuerySet, Value
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from catalog import services
from catalog.models import Anime, ListEntry, Rating, User, VisitorEntry

#: Scores, and as many list statuses; nobody tries the site with more.
MAX_VISITOR_ANIME = 300
#: A visit lasts from its latest rating on; its end and its cookie are moved at most once in so long.
RENEWED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Feedback:
    """Scores and list statuses by anime id, the latest last."""

    ratings: dict[int, int] = field(default_factory=dict)
    statuses: dict[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.ratings or self.statuses)


def feedback_of(request: HttpRequest, anime_ids: Iterable[int] | None = None) -> Feedback:
    """The whole feedback or, where only some anime are shown, at least what concerns those. One query at most."""
    if isinstance(request.user, User):
        return _of_account(request.user, anime_ids)
    return _of_visitor(request, anime_ids)


def rate(request: HttpRequest, anime_id: int, score: int) -> None:
    """As `services.rate`, for accounts and visitors."""
    if isinstance(request.user, User):
        services.rate(user=request.user, anime_id=anime_id, score=score)
    else:
        services.check_score(score)
        _say(request, anime_id, score=score)


def unrate(request: HttpRequest, anime_id: int) -> None:
    """As `services.unrate`, for accounts and visitors."""
    if isinstance(request.user, User):
        services.unrate(user=request.user, anime_id=anime_id)
    else:
        _take_back(request, anime_id, rated=True)


def set_status(request: HttpRequest, anime_id: int, status: str) -> None:
    """As `services.set_status`, for accounts and visitors."""
    if isinstance(request.user, User):
        services.set_status(user=request.user, anime_id=anime_id, status=status)
    else:
        services.check_status(status)
        _say(request, anime_id, status=status)


def clear_status(request: HttpRequest, anime_id: int) -> None:
    """As `services.clear_status`, for accounts and visitors."""
    if isinstance(request.user, User):
        services.clear_status(user=request.user, anime_id=anime_id)
    else:
        _take_back(request, anime_id, rated=False)


def move_to_account(request: HttpRequest, user: User) -> int:
    """Write what the visitor said into the account and forget it here; returns how many anime it was about.

    Belongs into the transaction that gives the session to the account. What the visitor says meanwhile waits for the
    session's lock, and is then refused, because the visit is over.
    """
    visit = _locked_visit(request)
    if visit is None:
        return 0
    entries = VisitorEntry.objects.filter(session=visit)
    said = _as_feedback(entries)
    entries.delete()
    return services.keep(user=user, ratings=said.ratings, statuses=said.statuses) if said else 0


def _of_account(user: User, anime_ids: Iterable[int] | None) -> Feedback:
    ratings = Rating.objects.filter(user=user)
    entries = ListEntry.objects.filter(user=user)
    if anime_ids is not None:
        wanted = list(anime_ids)
        ratings, entries = ratings.filter(anime_id__in=wanted), entries.filter(anime_id__in=wanted)
    no_score = Value(None, output_field=PositiveSmallIntegerField())
    no_status = Value("", output_field=CharField())
    rows = (
        ratings.order_by()
        .values_list("anime_id", "score", no_status, "rated_at")
        .union(entries.order_by().values_list("anime_id", no_score, "status", "updated_at"), all=True)
    )
    feedback = Feedback()
    for anime_id, score, status, _at in sorted(rows, key=lambda row: row[3]):
        if status:
            feedback.statuses[anime_id] = status
        else:
            feedback.ratings[anime_id] = score
    return feedback


def _of_visitor(request: HttpRequest, anime_ids: Iterable[int] | None) -> Feedback:
    key = request.session.session_key
    if key is None:
        return Feedback()
    entries = VisitorEntry.objects.filter(session=key, session__expire_date__gt=timezone.now())
    return _as_feedback(entries if anime_ids is None else entries.filter(anime__in=list(anime_ids)))


def _as_feedback(entries: QuerySet[VisitorEntry]) -> Feedback:
    feedback = Feedback()
    for anime_id, score, status in entries.order_by("pk").values_list("anime_id", "score", "status"):
        if score is None:
            feedback.statuses[anime_id] = status
        else:
            feedback.ratings[anime_id] = score
    return feedback


def _locked_visit(request: HttpRequest) -> Session | None:
    """The session's row, locked until the transaction ends; None when there is none."""
    key = request.session.session_key
    visits = Session.objects.select_for_update().filter(session_key=key, expire_date__gt=timezone.now())
    return visits.first() if key else None


def _visit(request: HttpRequest) -> Session:
    """The visitor's session, begun where there is none, locked until the transaction ends."""
    request.session.keys()  # reading finds out whether the cookie's session still exists
    if request.session.session_key is None:
        request.session.create()
    visit = _locked_visit(request)
    if visit is None:
        # Somebody signed in with this visit, or it was deleted: the cache may still have it.
        request.session.delete()
        raise ValidationError(_("This visit has ended, perhaps because you signed in: reload the page and try again."))
    if visit.expire_date < timezone.now() + request.session.get_expiry_age() * timedelta(seconds=1) - RENEWED_AFTER:
        request.session.modified = True
    return visit


@transaction.atomic
def _say(request: HttpRequest, anime_id: int, *, score: int | None = None, status: str = "") -> None:
    Anime.objects.visible_to(request.user).only("pk").get(pk=anime_id)
    visit = _visit(request)
    entries = _of_one_kind(visit, rated=not status)
    entries.filter(anime=anime_id).delete()
    if entries.count() >= MAX_VISITOR_ANIME:
        raise ValidationError(_("Sign up to rate more: without an account there is no room for more."))
    VisitorEntry.objects.create(session=visit, anime_id=anime_id, score=score, status=status)


@transaction.atomic
def _take_back(request: HttpRequest, anime_id: int, *, rated: bool) -> None:
    if request.session.session_key is not None:
        _of_one_kind(_visit(request), rated=rated).filter(anime=anime_id).delete()


def _of_one_kind(visit: Session, *, rated: bool) -> QuerySet[VisitorEntry]:
    """The visit's scores, or its list statuses."""
    entries = VisitorEntry.objects.filter(session=visit)
    return entries.filter(status="") if rated else entries.exclude(status="")
