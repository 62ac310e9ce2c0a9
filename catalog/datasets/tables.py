"""The small files of a data set, row by row: anime.csv and metadata.csv."""

import csv
import html
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import IO, Any

from catalog.datasets.errors import BadRow, DatasetError, Rejects, printable
from catalog.datasets.source import ANIME, METADATA
from catalog.models import MAX_SCORE, Anime, AnimeType, Genre

MAX_TABLE_BYTES = 256 * 2**20
MAX_INTEGER = 2**31 - 1
#: So much of a bad line is shown.
MAX_RAW = 1000
_TYPES = tuple(AnimeType.values)
_SURROGATE = re.compile("[\ud800-\udfff]")
#: How data sets of this family write that something is not known.
UNKNOWN = {"", "unknown", "na", "n/a", "nan", "none"}


@dataclass(frozen=True)
class AnimeRow:
    mal_id: int
    name: str
    genres: tuple[str, ...]
    type: str
    episodes: int | None
    score: float | None
    members: int


@dataclass(frozen=True)
class MetadataRow:
    mal_id: int
    japanese_name: str
    aired_from: date | None
    aired_to: date | None
    source: str
    studios: tuple[str, ...]


@dataclass
class _Reader:
    """Turns the text of one row's fields into values; what does not fit becomes a BadRow that names the column."""

    file: str
    line: int
    values: dict[str, str]
    raw: str

    def bad(self, column: str, reason: str) -> BadRow:
        return BadRow(self.file, self.line, column, reason, self.raw)

    def unfit(self, column: str) -> BadRow | None:
        """What is wrong with a field that no column of the database can hold."""
        value = self.values[column]
        if "\0" in value:
            return self.bad(column, "holds a NUL byte")
        if not value.isascii() and _SURROGATE.search(value):
            return self.bad(column, "holds a byte that is not UTF-8; save the file as UTF-8 text")
        return None

    def text(self, column: str, model_field: str, model: type[Any] = Anime) -> str:
        value = html.unescape(self.values[column]).strip()
        limit = model._meta.get_field(model_field).max_length
        if len(value) > limit:
            raise self.bad(column, f"{len(value)} characters, and at most {limit} fit")
        return "" if value.lower() in UNKNOWN - {"none"} and column != "name" else value

    def integer(self, column: str, *, least: int) -> int | None:
        value = self.values[column].strip()
        if value.lower() in UNKNOWN:
            return None
        number = whole_number(value)
        if number is None or not least <= number <= MAX_INTEGER:
            raise self.bad(column, f"{value[:40]!r} is not a whole number from {least} to {MAX_INTEGER}")
        return number

    def required_integer(self, column: str, *, least: int) -> int:
        number = self.integer(column, least=least)
        if number is None:
            raise self.bad(column, "is empty")
        return number

    def score(self, column: str) -> float | None:
        value = self.values[column].strip()
        if value.lower() in UNKNOWN:
            return None
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= MAX_SCORE:
            raise self.bad(column, f"{value[:40]!r} is not a number from 0 to {MAX_SCORE}")
        return number or None  # 0 is how some dumps write that nobody has scored it

    def day(self, column: str) -> date | None:
        value = self.values[column].strip()
        if value.lower() in UNKNOWN:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise self.bad(column, f"{value[:40]!r} is not a date such as 2016-08-25") from None

    def parts(self, column: str, separator: str, limit: int) -> tuple[str, ...]:
        """The different parts of a field, in order."""
        found = (html.unescape(part).strip() for part in self.values[column].split(separator))
        parts = tuple(dict.fromkeys(part for part in found if part.lower() not in UNKNOWN))
        for part in parts:
            if len(part) > limit:
                raise self.bad(column, f"{part[:40]!r}... is {len(part)} characters long, and at most {limit} fit")
        return parts


def whole_number(text: str) -> int | None:
    """The number, or None where int() would take more than a sign and a reasonable number of ASCII digits."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None


def read_anime(file: IO[bytes], rejects: Rejects) -> list[AnimeRow]:
    """The rows of anime.csv; of several with one id the first is kept and the others are rejected."""
    rows: dict[int, AnimeRow] = {}
    columns = ("anime_id", "name", "genre", "type", "episodes", "rating", "members")
    for row in _rows(ANIME, file, columns, rejects):
        try:
            anime = _anime(row)
            if anime.mal_id in rows:
                raise row.bad("anime_id", f"{anime.mal_id} came before")
        except BadRow as bad:
            rejects.add(bad)
        else:
            rows[anime.mal_id] = anime
    return list(rows.values())


def _anime(row: _Reader) -> AnimeRow:
    name = row.text("name", "name")
    if not name:
        raise row.bad("name", "is empty")
    kind = row.text("type", "type")
    if kind and kind not in _TYPES:
        raise row.bad("type", f"{kind!r} is none of {', '.join(_TYPES)}")
    return AnimeRow(
        mal_id=row.required_integer("anime_id", least=1),
        name=name,
        genres=row.parts("genre", ",", Genre._meta.get_field("name").max_length or 0),
        type=kind,
        episodes=row.integer("episodes", least=0) or None,
        score=row.score("rating"),
        members=row.integer("members", least=0) or 0,
    )


def read_metadata(file: IO[bytes], rejects: Rejects) -> list[MetadataRow]:
    """The rows of metadata.csv, the first of each id."""
    rows: dict[int, MetadataRow] = {}
    columns = ("anime_id", "japanese_title", "aired_from", "aired_to", "source", "studios")
    for row in _rows(METADATA, file, columns, rejects):
        try:
            start, end = row.day("aired_from"), row.day("aired_to")
            if start and end and end < start:
                end = None  # as MyAnimeList has it for some; the facts beside it are good
            metadata = MetadataRow(
                mal_id=row.required_integer("anime_id", least=1),
                japanese_name=row.text("japanese_title", "japanese_name"),
                aired_from=start,
                aired_to=end,
                source=row.text("source", "source"),
                studios=row.parts("studios", "|", 100),
            )
        except BadRow as bad:
            rejects.add(bad)
        else:
            rows.setdefault(metadata.mal_id, metadata)
    return list(rows.values())


def _rows(name: str, file: IO[bytes], columns: Sequence[str], rejects: Rejects) -> Iterator[_Reader]:
    """Each row after the header, by column name, whatever the order of the columns."""
    taken: list[str] = []
    lines = csv.reader(_recorded(_text(name, file), taken), strict=True)
    header = [column.strip().lower() for column in next(lines, [])]
    check_header(name, header, columns)
    while True:
        line = lines.line_num + 1
        taken.clear()
        try:
            values = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            rejects.add(BadRow(name, line, header[0], str(error), printable("".join(taken)[:MAX_RAW])))
            continue
        if not values:
            continue
        row = _Reader(name, line, dict(zip(header, values, strict=False)), printable("".join(taken)[:MAX_RAW]))
        if len(values) != len(header):
            reason = f"{len(values)} fields, and the header names {len(header)}"
            rejects.add(row.bad(header[min(len(values), len(header)) - 1], reason))
        elif bad := next(filter(None, map(row.unfit, header)), None):
            rejects.add(bad)
        else:
            yield row


def _recorded(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    """The lines, each put into `taken` as it is read, so that a bad row can be shown as it stands in the file."""
    for line in lines:
        taken.append(line)
        yield line


def check_header(name: str, header: Sequence[str], columns: Sequence[str]) -> None:
    """Raise DatasetError unless every column is there."""
    missing = [column for column in columns if column not in header]
    if missing:
        raise DatasetError(
            f"{name}, line 1: column {missing[0]} is missing. The file needs {', '.join(columns)}; "
            f"it has {printable(', '.join(header)[:200]) or 'nothing'}."
        )


def _text(name: str, file: IO[bytes]) -> io.StringIO:
    content = file.read(MAX_TABLE_BYTES + 1)
    if len(content) > MAX_TABLE_BYTES:
        raise DatasetError(f"{name} is larger than {MAX_TABLE_BYTES:,} bytes, which no catalogue is.")
    # A byte that is not UTF-8 becomes half a surrogate pair, which `unfit` finds in its field.
    return io.StringIO(content.decode("utf-8-sig", errors="surrogateescape"), newline="")
