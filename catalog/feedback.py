"""What the person behind a request has said of anime: an account's rows or, for a visitor, the session's.

A visitor needs no account to rate: what they say is kept in their session and moves into the account that they make
or log in to. Views call this and need not know which of the two it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import CharField, PositiveSmallIntegerField, Value
from django.http import HttpRequest
from django.utils.translation import gettext as _

from catalog import services
from catalog.models import Anime, ListEntry, Rating, User

SESSION_KEY = "visitor"
#: A session is read and written whole; nobody tries the site with more.
MAX_VISITOR_ANIME = 300


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
    return _of_session(request)


def rate(request: HttpRequest, anime_id: int, score: int) -> None:
    """As `services.rate`, for accounts and visitors."""
    if isinstance(request.user, User):
        services.rate(user=request.user, anime_id=anime_id, score=score)
    else:
        services.check_score(score)
        _say(request, "ratings", anime_id, score)


def unrate(request: HttpRequest, anime_id: int) -> None:
    """As `services.unrate`, for accounts and visitors."""
    if isinstance(request.user, User):
        services.unrate(user=request.user, anime_id=anime_id)
    else:
        _take_back(request, "ratings", anime_id)


def set_status(request: HttpRequest, anime_id: int, status: str) -> None:
    """As `services.set_status`, for accounts and visitors."""
    if isinstance(request.user, User):
        services.set_status(user=request.user, anime_id=anime_id, status=status)
    else:
        services.check_status(status)
        _say(request, "statuses", anime_id, status)


def clear_status(request: HttpRequest, anime_id: int) -> None:
    """As `services.clear_status`, for accounts and visitors."""
    if isinstance(request.user, User):
        services.clear_status(user=request.user, anime_id=anime_id)
    else:
        _take_back(request, "statuses", anime_id)


def move_to_account(request: HttpRequest, user: User) -> int:
    """Write what the session holds into the account and empty the session; returns how many anime it was about."""
    said = _of_session(request)
    request.session.pop(SESSION_KEY, None)
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


def _of_session(request: HttpRequest) -> Feedback:
    """Sessions are JSON, whose keys are text."""
    said = request.session.get(SESSION_KEY, {})
    return Feedback(
        ratings={int(anime): score for anime, score in said.get("ratings", {}).items()},
        statuses={int(anime): status for anime, status in said.get("statuses", {}).items()},
    )


def _say(request: HttpRequest, kind: str, anime_id: int, value: int | str) -> None:
    Anime.objects.visible_to(request.user).only("pk").get(pk=anime_id)
    said: dict[str, Any] = request.session.get(SESSION_KEY, {})
    values = said.setdefault(kind, {})
    values.pop(str(anime_id), None)
    if len(values) >= MAX_VISITOR_ANIME:
        raise ValidationError(_("Sign up to rate more: a visit without an account holds no more than this."))
    values[str(anime_id)] = value
    request.session[SESSION_KEY] = said


def _take_back(request: HttpRequest, kind: str, anime_id: int) -> None:
    said: dict[str, Any] = request.session.get(SESSION_KEY, {})
    if said.get(kind, {}).pop(str(anime_id), None) is not None:
        request.session[SESSION_KEY] = said
