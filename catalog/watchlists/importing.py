"""An uploaded list: read, compared with the account, kept for an hour while its owner looks at it, and written."""

import itertools
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO

from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext as _

from catalog import services
from catalog.models import Anime, ListEntry, Rating, User
from catalog.watchlists import myanimelist, own
from catalog.watchlists.entries import MAX_ROWS, BadRow, Entry, UploadError, shown
from catalog.watchlists.upload import unpacked

KEPT_S = 3600
#: Of each kind of row, a report names so many.
NAMED = 100


@dataclass(frozen=True)
class Upload:
    """A file that was read. Of an anime that is in it twice the last row counts."""

    name: str
    entries: list[Entry]
    bad: list[BadRow]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True)
class Change:
    """What an entry does to the account: what it said of the anime before, and what it says after."""

    anime: Anime
    score: int | None
    status: str
    old_score: int | None
    old_status: str

    @property
    def is_new(self) -> bool:
        return self.old_score is None and not self.old_status

    @property
    def is_same(self) -> bool:
        return (self.score, self.status) == (self.old_score, self.old_status)


@dataclass(frozen=True)
class Report:
    """What the import would do now. Every row of the file is in exactly one of the four lists."""

    new: list[Change]
    changed: list[Change]
    same: list[Change]
    left_out: list[BadRow]

    @property
    def writes(self) -> int:
        return len(self.new) + len(self.changed)


def read(file: IO[bytes], name: str) -> Upload:
    """Read a MyAnimeList export or one of our own files, by what is in it and not by its name.

    Raises:
        UploadError: the file as a whole cannot be read.
    """
    entries: dict[int, Entry] = {}
    bad: list[BadRow] = []
    for number, row in enumerate(_rows(file), 1):
        if number > MAX_ROWS:
            raise UploadError(_("The file has more than %(limit)s rows, which no list has.") % {"limit": MAX_ROWS})
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        if before := entries.pop(row.anime_id, None):
            bad.append(BadRow(before.place, before.title, _("It is listed twice: %(place)s.") % {"place": row.place}))
        entries[row.anime_id] = row
    if not entries and not bad:
        raise UploadError(_("There is no anime in the file."))
    return Upload(shown(name)[:100], list(entries.values()), bad)


def _rows(file: IO[bytes]) -> Iterator[Entry | BadRow]:
    chunks = unpacked(file)
    first = next(chunks, b"")
    begin = first.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if not begin:
        raise UploadError(_("The file is empty."))
    whole: Iterable[bytes] = itertools.chain([first], chunks)
    if begin == b"<":
        return myanimelist.read(whole)
    return own.read_json(whole) if begin in b"{[" else own.read_csv(whole)


def report(user: User, upload: Upload, *, keeps_mine: bool = False) -> Report:
    """Compare the file with the account as it is now; with `keeps_mine` what the account says stays. Three queries."""
    visible = Anime.objects.visible_to(user).only("mal_id", "name", "japanese_name", "is_adult")
    ids = [entry.anime_id for entry in upload.entries]
    anime = visible.in_bulk(ids)
    scores = dict(Rating.objects.filter(user=user).order_by().values_list("anime_id", "score"))
    statuses = dict(ListEntry.objects.filter(user=user).order_by().values_list("anime_id", "status"))
    found = Report([], [], [], list(upload.bad))
    for entry in upload.entries:
        one = anime.get(entry.anime_id)
        if one is None:
            reason = _("No anime with the id %(id)s is in the catalogue, or its kind is turned off in your settings.")
            found.left_out.append(BadRow(entry.place, entry.title, reason % {"id": entry.anime_id}))
            continue
        old_score, old_status = scores.get(entry.anime_id), statuses.get(entry.anime_id, "")
        score, status = entry.score or old_score, entry.status or old_status
        if keeps_mine:
            score, status = old_score or score, old_status or status
        change = Change(one, score, status, old_score, old_status)
        (found.same if change.is_same else found.new if change.is_new else found.changed).append(change)
    return found


@transaction.atomic
def apply(user: User, upload: Upload, *, keeps_mine: bool = False) -> Report:
    """Write the file into the account, all or nothing. A second time there is nothing left to write."""
    User.objects.select_for_update().only("pk").get(pk=user.pk)  # two imports of one account follow each other
    done = report(user, upload, keeps_mine=keeps_mine)
    changes = [*done.new, *done.changed]
    services.keep(
        user=user,
        ratings={one.anime.pk: one.score for one in changes if one.score and one.score != one.old_score},
        statuses={one.anime.pk: one.status for one in changes if one.status and one.status != one.old_status},
    )
    return done


def remember(user: User, upload: Upload) -> None:
    """Keep the file's rows for an hour, in place of another of this user's.

    Raises:
        UploadError: the cache keeps nothing at the moment.
    """
    if cache.set_many({_key(user): upload}, KEPT_S):
        raise UploadError(_("The file cannot be kept at the moment. Nothing is lost: try again in a minute."))


def remembered(user: User) -> Upload | None:
    """The upload that waits for this user's word."""
    upload: Upload | None = cache.get(_key(user))
    return upload


def forget(user: User) -> None:
    cache.delete(_key(user))


def _key(user: User) -> str:
    return f"upload-{user.pk}"
