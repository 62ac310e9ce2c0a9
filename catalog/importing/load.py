"""A data set into the database: staged by COPY, then upserted set by set, in one transaction."""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.contrib.postgres.functions import TransactionNow
from django.db import connection, transaction
from django.utils.text import slugify
from numpy.typing import NDArray
from psycopg import sql

from catalog.importing.errors import DatasetError
from catalog.importing.ratings import Triples
from catalog.importing.tables import AnimeRow, MetadataRow
from catalog.models import ADULT_GENRE, UNRATED, Anime, Dataset

#: Two imports at once would wait for each other's rows in different orders.
_LOCK = 7_240_002
_INT4_OID, _INT2_OID = 23, 21
#: A row of PostgreSQL's binary COPY format as far as the first array: number of fields; dataset id, external id,
#: each after its length; then what precedes an array's elements: length of the field, one dimension, no NULL, type
#: of the elements, how many, counted from 1.
_ROW = struct.Struct(">h iq ii 6i")
_MEMBER_COLUMNS = "dataset_id, external_id, anime_ids, scores"
_SECOND_ARRAY = struct.Struct(">6i")


@dataclass(frozen=True)
class Contents:
    """What was read of a data set's files. `metadata` is None where there is no such file."""

    name: str
    fingerprint: str
    is_simulated: bool
    anime: Sequence[AnimeRow]
    metadata: Sequence[MetadataRow] | None
    ratings: Triples


@dataclass(frozen=True)
class Report:
    """What a load did, in numbers."""

    anime: int
    members: int
    rated_anime: int
    interactions: int
    ratings: int
    unknown_anime_ratings: int
    repeated_ratings: int
    anime_changed: int
    members_changed: int
    simulated_removed: int


@transaction.atomic
def load(contents: Contents, step: Callable[[str], object] = lambda text: None) -> Report:
    """Write `contents` to the database and say what changed: nothing, when it is there already.

    Raises DatasetError when simulated raters would join real ones.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    removed = _settle_simulated(contents)
    step(f"writing {len(contents.anime):,} anime")
    _write_anime(contents.anime)
    if contents.metadata is not None:
        _write_metadata(contents.metadata)
    users, anime, ratings = contents.ratings
    catalogue = np.fromiter((row.mal_id for row in contents.anime), dtype=np.int32)
    known = np.isin(anime, catalogue)
    known_count = int(np.count_nonzero(known))
    if known_count < len(known):
        users, anime, ratings = users[known], anime[known], ratings[known]
    histories = _Histories.of(users, anime, ratings)
    step(f"writing {len(histories.anime):,} interactions of {len(histories):,} members")
    dataset, created = Dataset.objects.get_or_create(
        name=contents.name, defaults={"is_simulated": contents.is_simulated}
    )
    if created:
        # Nobody can be there to differ from, so the histories go straight to their place.
        _copy_members("catalog_member", dataset, histories)
        members_changed = len(histories)
    else:
        members_changed = _upsert_members(dataset, histories)
    report = Report(
        anime=len(contents.anime),
        members=len(histories),
        rated_anime=int(np.count_nonzero(np.isin(catalogue, histories.anime))),
        interactions=len(histories.anime),
        ratings=int(np.count_nonzero(histories.scores != UNRATED)),
        unknown_anime_ratings=len(known) - known_count,
        repeated_ratings=known_count - len(histories.anime),
        # now() is the transaction's own time, the same in all its statements
        anime_changed=Anime.objects.filter(updated_at=TransactionNow()).count(),
        members_changed=members_changed,
        simulated_removed=removed,
    )
    described = {
        "fingerprint": contents.fingerprint,
        "is_simulated": contents.is_simulated,
        "anime_count": report.anime,
        "member_count": report.members,
        "interaction_count": report.interactions,
        "rating_count": report.ratings,
    }
    if any(getattr(dataset, name) != value for name, value in described.items()):
        for name, value in described.items():
            setattr(dataset, name, value)
        dataset.save()
    return report


def _settle_simulated(contents: Contents) -> int:
    """Keep made-up tastes and real ones apart; return how many simulated members had to go."""
    others = Dataset.objects.exclude(name=contents.name)
    if contents.is_simulated:
        if real := others.filter(is_simulated=False).first():
            raise DatasetError(f"The data set {real.name} is real; simulated raters are not loaded beside it.")
        return 0
    simulated = others.filter(is_simulated=True)
    members = sum(simulated.values_list("member_count", flat=True))
    simulated.delete()
    return members


def _write_anime(rows: Sequence[AnimeRow]) -> None:
    values = ("name", "type", "episodes", "score", "members", "is_adult")
    _stage(
        "staged_anime",
        "SELECT mal_id, name, type, episodes, score, members, is_adult FROM catalog_anime",
        (
            (row.mal_id, row.name, row.type, row.episodes, row.score, row.members, ADULT_GENRE in row.genres)
            for row in rows
        ),
    )
    _execute(
        "INSERT INTO catalog_anime (mal_id, {columns}, japanese_name, source, studios, updated_at)"
        " SELECT mal_id, {columns}, '', '', '{{}}', now() FROM staged_anime ON CONFLICT (mal_id) DO UPDATE"
        " SET ({columns}, updated_at) = ROW ({new}, now()) WHERE ({old}) IS DISTINCT FROM ({new})",
        columns=_names(values),
        new=_names(values, "excluded"),
        old=_names(values, "catalog_anime"),
    )
    genres = sorted({genre for row in rows for genre in row.genres})
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO catalog_genre (name, slug) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING",
            [(genre, slugify(genre) or f"genre-{number}") for number, genre in enumerate(genres)],
        )
    _stage(
        "staged_genre",
        "SELECT anime_id AS mal_id, name AS genre FROM catalog_anime_genres, catalog_genre",
        ((row.mal_id, genre) for row in rows for genre in row.genres),
    )
    wanted = sql.SQL("SELECT mal_id, catalog_genre.id FROM staged_genre JOIN catalog_genre ON name = genre")
    _execute(
        "DELETE FROM catalog_anime_genres WHERE anime_id IN (SELECT mal_id FROM staged_anime)"
        " AND (anime_id, genre_id) NOT IN ({wanted})",
        wanted=wanted,
    )
    _execute("INSERT INTO catalog_anime_genres (anime_id, genre_id) {wanted} ON CONFLICT DO NOTHING", wanted=wanted)


def _write_metadata(rows: Sequence[MetadataRow]) -> None:
    values = ("japanese_name", "aired_from", "aired_to", "source", "studios")
    _stage(
        "staged_metadata",
        "SELECT mal_id, japanese_name, aired_from, aired_to, source, studios FROM catalog_anime",
        ((row.mal_id, row.japanese_name, row.aired_from, row.aired_to, row.source, list(row.studios)) for row in rows),
    )
    _execute(
        "UPDATE catalog_anime SET ({columns}, updated_at) = ROW ({new}, now()) FROM staged_metadata"
        " WHERE catalog_anime.mal_id = staged_metadata.mal_id AND ({old}) IS DISTINCT FROM ({new})",
        columns=_names(values),
        new=_names(values, "staged_metadata"),
        old=_names(values, "catalog_anime"),
    )


@dataclass(frozen=True)
class _Histories:
    """Interactions in order of member and anime; member i's are those from `starts[i]` to `starts[i + 1]`."""

    external_ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    anime: NDArray[np.int32]
    scores: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.external_ids)

    @classmethod
    def of(cls, users: NDArray[np.int32], anime: NDArray[np.int32], scores: NDArray[np.int8]) -> "_Histories":
        """Sorted, and of several ratings of one anime by one member the last."""
        place = users.astype(np.int64) << 32 | anime
        if len(place) > 1 and not (place[1:] > place[:-1]).all():
            order = np.argsort(place, kind="stable")
            order = order[np.append(place[order][1:] != place[order][:-1], True)]
            users, anime, scores = users[order], anime[order], scores[order]
        starts = np.flatnonzero(np.append(True, users[1:] != users[:-1])) if len(users) else np.zeros(0, np.int64)
        return cls(users[starts], np.append(starts, len(users)), anime, scores)

    def binary_rows(self, dataset_id: int) -> Iterator[bytes]:
        """Each member as a row of PostgreSQL's binary COPY format: dataset id, external id, anime ids, scores."""
        anime = _array_elements(self.anime, ">i4")
        scores = _array_elements(self.scores, ">i2")
        int4, int2 = anime.dtype.itemsize, scores.dtype.itemsize
        anime_bytes, scores_bytes = anime.tobytes(), scores.tobytes()
        starts = self.starts.tolist()
        for external_id, start, end in zip(self.external_ids.tolist(), starts[:-1], starts[1:], strict=True):
            n = end - start
            yield _ROW.pack(4, 8, dataset_id, 4, external_id, 20 + n * int4, 1, 0, _INT4_OID, n, 1)
            yield anime_bytes[start * int4 : end * int4]
            yield _SECOND_ARRAY.pack(20 + n * int2, 1, 0, _INT2_OID, n, 1)
            yield scores_bytes[start * int2 : end * int2]


def _array_elements(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Each value with its length before it, as PostgreSQL sends the elements of an array."""
    number = np.dtype(dtype)
    elements = np.empty(len(values), dtype=[("length", ">i4"), ("value", number)])
    elements["length"] = number.itemsize
    elements["value"] = values
    return elements


def _copy_members(table: str, dataset: Dataset, histories: _Histories) -> None:
    query = f"COPY {table} ({_MEMBER_COLUMNS}) FROM STDIN (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for block in _blocks(histories.binary_rows(dataset.pk)):
            copy.write(block)
        copy.write(b"\xff\xff")


def _upsert_members(dataset: Dataset, histories: _Histories) -> int:
    """Add the members that are new, and change those that differ; return how many."""
    _create_staging("staged_member", f"SELECT {_MEMBER_COLUMNS} FROM catalog_member")  # noqa: S608
    with connection.cursor() as cursor:
        # Written once and read once: packing the arrays would only cost time.
        for column in ("anime_ids", "scores"):
            cursor.execute(f"ALTER TABLE staged_member ALTER COLUMN {column} SET STORAGE EXTERNAL")
    _copy_members("staged_member", dataset, histories)
    return _execute(
        f"INSERT INTO catalog_member ({_MEMBER_COLUMNS}) SELECT {_MEMBER_COLUMNS} FROM staged_member"  # noqa: S608
        " ON CONFLICT (dataset_id, external_id) DO UPDATE"
        " SET anime_ids = excluded.anime_ids, scores = excluded.scores"
        " WHERE (catalog_member.anime_ids, catalog_member.scores)"
        " IS DISTINCT FROM (excluded.anime_ids, excluded.scores)"
    )


def _blocks(rows: Iterable[bytes], size: int = 2**20) -> Iterator[bytes]:
    block: list[bytes] = []
    length = 0
    for row in rows:
        block.append(row)
        length += len(row)
        if length > size:
            yield b"".join(block)
            block, length = [], 0
    yield b"".join(block)


def _stage(table: str, like: str, rows: Iterable[Sequence[Any]]) -> None:
    """Put `rows` into a temporary table with the columns and types of the query `like`."""
    _create_staging(table, like)
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"ANALYZE {table}")


def _create_staging(table: str, like: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")
        cursor.execute(f"CREATE TEMP TABLE {table} ON COMMIT DROP AS {like} WITH NO DATA")


def _execute(query: str, **parts: sql.Composable) -> int:
    """Run one statement and say how many rows it changed."""
    with connection.cursor() as cursor:
        composed = sql.SQL(query).format(**parts).as_string(cursor.connection)  # type: ignore[arg-type]
        cursor.execute(composed)
        return cursor.rowcount


def _names(columns: Sequence[str], table: str | None = None) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(*([table] if table else []), column) for column in columns)
