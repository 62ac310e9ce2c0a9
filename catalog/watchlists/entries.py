"""What the files say, row by row."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from catalog.models import MAX_SCORE, MIN_SCORE, ListStatus

#: MyAnimeList has about 30,000 anime; a file with more rows than this is no list of one person.
MAX_ROWS = 50_000
#: Ids lie in a PostgreSQL integer.
MAX_ID = 2**31 - 1
TITLE_SHOWN = 120


class UploadError(ValueError):
    """A file that cannot be read as a whole; the message says why and what to do."""


@dataclass(frozen=True)
class Entry:
    """One anime of a file. `score` is None and `status` empty where the file says nothing of it."""

    place: str
    anime_id: int
    title: str
    score: int | None = None
    status: str = ""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, where it is and why."""

    place: str
    title: str
    reason: str


def checked(place: str, anime_id: object, title: object, score: object, status: str) -> Entry | BadRow:
    """The row as an entry, or what is wrong with it. `score` 0 or empty is none; `status` is a ListStatus or empty."""
    name = shown(title)[:TITLE_SHOWN]
    number = _whole(anime_id)
    if number is None or not 1 <= number <= MAX_ID:
        return BadRow(
            place, name, _("“%(value)s” is not the MyAnimeList id of an anime.") % {"value": _short(anime_id)}
        )
    points = 0 if score in (None, "") else _whole(score)
    if points is None or not (points == 0 or MIN_SCORE <= points <= MAX_SCORE):
        return BadRow(place, name, _("“%(value)s” is not a score from 1 to 10.") % {"value": _short(score)})
    if status and status not in ListStatus.values:
        return BadRow(place, name, _("“%(value)s” is not a list.") % {"value": _short(status)})
    if not points and not status:
        return BadRow(place, name, _("It has neither a score nor a list."))
    return Entry(place, number, name, points or None, status)


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def shown(value: object) -> str:
    """A value of a file as a page can show it.

    JSON can name halves of a surrogate pair, and no page with one can be sent; and NUL, which no store takes.
    """
    text = "" if value is None else str(value)
    return text.encode(errors="replace").decode().replace("\0", "�")


def _short(value: object) -> str:
    text = shown(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
