"""What a user says of an anime, written: each call is one transaction and safe to repeat or to race.

Every function that names an anime raises `Anime.DoesNotExist` when the user may not see it, as if it were not there.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.models import MAX_SCORE, MIN_SCORE, Anime, ListEntry, ListStatus, Rating, User

NOTHING: Mapping[int, None] = MappingProxyType({})
Row = TypeVar("Row", Rating, ListEntry)
#: The columns of a value and of the time of its last change.
_COLUMNS: dict[type[Any], tuple[str, str]] = {Rating: ("score", "rated_at"), ListEntry: ("status", "updated_at")}


@transaction.atomic
def rate(*, user: User, anime_id: int, score: int) -> Rating:
    """Give the anime a score of 1-10, in place of the one it had. Raises ValidationError on `score`."""
    check_score(score)
    _visible(user, anime_id)
    return _upsert(Rating, user, {anime_id: score})[0]


def unrate(*, user: User, anime_id: int) -> None:
    """Take the score back; nothing happens when there is none."""
    Rating.objects.filter(user=user, anime_id=anime_id).delete()


@transaction.atomic
def set_status(*, user: User, anime_id: int, status: str) -> ListEntry:
    """Put the anime on the user's list. Raises ValidationError on `status`."""
    check_status(status)
    _visible(user, anime_id)
    return _upsert(ListEntry, user, {anime_id: status})[0]


def clear_status(*, user: User, anime_id: int) -> None:
    """Take the anime off the user's list; nothing happens when it is not there."""
    ListEntry.objects.filter(user=user, anime_id=anime_id).delete()


@transaction.atomic
def keep(*, user: User, ratings: Mapping[int, int], statuses: Mapping[int, str]) -> int:
    """Write many scores and list entries at once, leaving out those of anime that the user may not see.

    Returns how many anime they are about. They replace what the account had: they are the user's latest word.
    """
    for score in ratings.values():
        check_score(score)
    for status in statuses.values():
        check_status(status)
    visible = set(Anime.objects.visible_to(user).filter(pk__in={*ratings, *statuses}).values_list("pk", flat=True))
    _upsert(Rating, user, {anime: score for anime, score in ratings.items() if anime in visible})
    _upsert(ListEntry, user, {anime: status for anime, status in statuses.items() if anime in visible})
    return len(visible)


@transaction.atomic
def delete_account(*, user: User) -> None:
    """Delete the account with its ratings, lists, addresses and tokens. What models learned of it stays until the next
    training."""
    User.objects.select_for_update().only("pk").get(pk=user.pk)
    user.delete()


class UnknownAnime(ValueError):
    """Some anime are not there, or not for this user; `anime_ids` are those."""

    def __init__(self, anime_ids: set[int]) -> None:
        super().__init__(f"not in the catalogue: {sorted(anime_ids)}")
        self.anime_ids = anime_ids


@transaction.atomic
def write_many(
    *, user: User, ratings: Mapping[int, int | None] = NOTHING, statuses: Mapping[int, str | None] = NOTHING
) -> None:
    """Write many scores and list entries, all or none; None takes one back.

    Raises UnknownAnime where one to be written is not there.
    """
    scores = {anime: score for anime, score in ratings.items() if score is not None}
    listed = {anime: status for anime, status in statuses.items() if status is not None}
    wanted = {*scores, *listed}
    if wanted:
        found = Anime.objects.visible_to(user).filter(pk__in=wanted).order_by().values_list("pk", flat=True)
        if unknown := wanted - set(found):
            raise UnknownAnime(unknown)
    for score in scores.values():
        check_score(score)
    for status in listed.values():
        check_status(status)
    _upsert(Rating, user, scores)
    _upsert(ListEntry, user, listed)
    Rating.objects.filter(user=user, anime_id__in=ratings.keys() - scores.keys()).delete()
    ListEntry.objects.filter(user=user, anime_id__in=statuses.keys() - listed.keys()).delete()


def check_score(score: int) -> None:
    if not MIN_SCORE <= score <= MAX_SCORE:
        message = _("A score is a whole number from %(min)s to %(max)s.") % {"min": MIN_SCORE, "max": MAX_SCORE}
        raise ValidationError({"score": message})


def check_status(status: str) -> None:
    if status not in ListStatus.values:
        known = ", ".join(ListStatus.values)
        raise ValidationError({"status": _("A list status is one of: %(known)s.") % {"known": known}})


def _visible(user: User, anime_id: int) -> None:
    Anime.objects.visible_to(user).only("pk").get(pk=anime_id)


def _upsert(model: type[Row], user: User, values: Mapping[int, int | str]) -> list[Row]:
    """Write values by anime id, and return their rows. Rows that hold the value already stay as they are, with the time
    of their last change: sending a list again is no news, to a training or to a page of what is latest.

    The rest is one INSERT ... ON CONFLICT DO UPDATE: of two that race, both succeed and the later one stays. Rows go in
    by anime id, so that two that write many lock them in the same order.
    """
    value, changed_at = _COLUMNS[model]
    rows = {row.anime_id: row for row in model.objects.filter(user=user, anime_id__in=values)}
    equal: dict[int, Row] = {anime: row for anime, row in rows.items() if getattr(row, value) == values[anime]}
    written: list[Row] = model.objects.bulk_create(
        [model(user=user, anime_id=anime, **{value: values[anime]}) for anime in sorted(values.keys() - equal.keys())],
        update_conflicts=True,
        unique_fields=["user", "anime"],
        update_fields=[value, changed_at],
    )
    return list(equal.values()) + written
