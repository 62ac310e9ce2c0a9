"""Our own files, CSV and JSON: written with everything of an account, and read again."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _

from catalog.models import ListEntry, Rating, User
from catalog.watchlists.entries import BadRow, Entry, UploadError, checked

COLUMNS = ("anime_id", "title", "score", "status", "rated_at", "listed_at")
#: A JSON document is parsed as a whole, and takes some twenty times its size while it is.
MAX_JSON_BYTES = 6 * 1024**2


@dataclass(frozen=True)
class Said:
    """All that an account says of one anime."""

    anime_id: int
    title: str
    episodes: int | None
    score: int | None = None
    status: str = ""
    rated_at: datetime | None = None
    listed_at: datetime | None = None


def everything(user: User) -> list[Said]:
    """Whatever the user rated or listed, adult titles too, by id. Two queries."""
    rated = {row.anime_id: row for row in Rating.objects.filter(user=user).select_related("anime")}
    listed = {row.anime_id: row for row in ListEntry.objects.filter(user=user).select_related("anime")}
    return [_said(rated.get(pk), listed.get(pk)) for pk in sorted({*rated, *listed})]


def _said(rating: Rating | None, entry: ListEntry | None) -> Said:
    anime = rating.anime if rating else entry.anime if entry else None
    assert anime is not None
    return Said(
        anime_id=anime.pk,
        title=anime.name,
        episodes=anime.episodes,
        score=rating.score if rating else None,
        status=entry.status if entry else "",
        rated_at=rating.rated_at if rating else None,
        listed_at=entry.updated_at if entry else None,
    )


def as_csv(said: Iterable[Said]) -> Iterator[str]:
    """Rows of COLUMNS, dates in ISO 8601."""
    line = io.StringIO()
    rows = csv.writer(line)
    rows.writerow(COLUMNS)
    for one in said:
        dates = [at.isoformat() if at else "" for at in (one.rated_at, one.listed_at)]
        rows.writerow([one.anime_id, one.title, one.score or "", one.status, *dates])
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def as_json(said: Iterable[Said], user: User) -> str:
    """The account's settings and each anime."""
    document = {
        "format": "anime-list",
        "version": 1,
        "account": {
            "username": user.username,
            "email": user.email,
            "joined_at": user.date_joined,
            "shows_adult": user.shows_adult,
        },
        "anime": [{name: getattr(one, name) for name in COLUMNS} for one in said],
    }
    return json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)


def read_csv(chunks: Iterable[bytes]) -> Iterator[Entry | BadRow]:
    """Each row of a CSV file with at least the columns anime_id, and score or status.

    Raises:
        UploadError: not UTF-8, without these columns, or not CSV.
    """
    lines = _lines(chunks)
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        if "anime_id" not in header or not {"score", "status"} & set(header):
            raise UploadError(
                _("Line 1 must name the columns: %(columns)s (title may be missing, and score or status).")
                % {"columns": ", ".join(COLUMNS[:4])}
            )
        for row in reader:
            place = _("line %(line)s") % {"line": reader.line_num}
            if len(row) == len(header):
                fields = dict(zip(header, row, strict=True))
                status = fields.get("status", "").strip().casefold()
                yield checked(place, fields["anime_id"], fields.get("title", ""), fields.get("score", ""), status)
            elif row:
                reason = _("It has %(found)s fields, and line 1 has %(wanted)s.")
                yield BadRow(place, "", reason % {"found": len(row), "wanted": len(header)})
    except csv.Error:
        raise UploadError(
            _("Line %(line)s: the quotation marks or commas are broken there.") % {"line": reader.line_num}
        ) from None


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines of UTF-8 with or without a byte order mark."""
    rest = b""
    count = 0
    for chunk in chunks:
        *whole, rest = (rest + chunk).splitlines(keepends=True) or [b""]
        if rest.endswith(b"\n"):
            whole, rest = [*whole, rest], b""
        for line in whole:
            count += 1
            yield _decoded(line, count)
        if len(rest) > csv.field_size_limit():
            raise UploadError(_("Line %(line)s does not end.") % {"line": count + 1})
    if rest:
        yield _decoded(rest, count + 1)


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise UploadError(_("Line %(line)s is not UTF-8. Save the file as UTF-8.") % {"line": number}) from None


def read_json(chunks: Iterable[bytes]) -> Iterator[Entry | BadRow]:
    """Each element of `anime` of our JSON export.

    Raises:
        UploadError: larger than MAX_JSON_BYTES, not JSON, or of another shape.
    """
    document = _document(chunks)
    rows = document.get("anime") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise UploadError(_("The JSON is not an export of this site: it has no list named “anime”."))
    for number, row in enumerate(rows, 1):
        place = _("entry %(number)s") % {"number": number}
        if isinstance(row, dict):
            status = str(row.get("status") or "").strip().casefold()
            yield checked(place, row.get("anime_id"), row.get("title"), row.get("score"), status)
        else:
            yield BadRow(place, "", _("It is not an object in braces."))


def _document(chunks: Iterable[bytes]) -> Any:
    text = bytearray()
    for chunk in chunks:
        text += chunk
        if len(text) > MAX_JSON_BYTES:
            raise UploadError(
                _("A JSON file may hold %(limit)s MB. Use CSV instead.") % {"limit": MAX_JSON_BYTES // 1024**2}
            )
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UploadError(_("Line %(line)s: the JSON is broken there.") % {"line": error.lineno}) from None
    except (ValueError, RecursionError):  # not Unicode, a number of thousands of digits, or brackets without end
        raise UploadError(_("The JSON cannot be read.")) from None
