"""A data set into the database: staged by COPY, then upserted set by set, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils.text import slugify
from numpy.typing import NDArray
from psycopg import sql

from catalog.importing.errors import DatasetError
from catalog.importing.ratings import Triples
from catalog.importing.tables import AnimeRow, MetadataRow
from catalog.models import ADULT_GENRE, UNRATED, Dataset

#: Two imports at once would wait for each other's rows in different orders.
_LOCK = 7_240_002
_INT4_OID, _INT2_OID = 23, 21


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
    anime_changed = _write_anime(contents.anime)
    if contents.metadata is not None:
        anime_changed += _write_metadata(contents.metadata)
    users, anime, ratings = contents.ratings
    known = np.isin(anime, np.fromiter((row.mal_id for row in contents.anime), dtype=np.int32))
    histories = _Histories.of(users[known], anime[known], ratings[known])
    step(f"writing {len(histories.anime):,} interactions of {len(histories):,} members")
    dataset, _ = Dataset.objects.get_or_create(name=contents.name, defaults={"is_simulated": contents.is_simulated})
    members_changed = _write_members(dataset, histories)
    report = Report(
        anime=len(contents.anime),
        members=len(histories),
        rated_anime=len(np.unique(histories.anime)),
        interactions=len(histories.anime),
        ratings=int((histories.scores != UNRATED).sum()),
        unknown_anime_ratings=int((~known).sum()),
        repeated_ratings=int(known.sum()) - len(histories.anime),
        anime_changed=anime_changed,
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


def _write_anime(rows: Sequence[AnimeRow]) -> int:
    values = ("name", "type", "episodes", "score", "members", "is_adult")
    _stage(
        "staged_anime",
        "SELECT mal_id, name, type, episodes, score, members, is_adult FROM catalog_anime",
        (
            (row.mal_id, row.name, row.type, row.episodes, row.score, row.members, ADULT_GENRE in row.genres)
            for row in rows
        ),
    )
    changed = _execute(
        "INSERT INTO catalog_anime (mal_id, {columns}, japanese_name, source, studios)"
        " SELECT mal_id, {columns}, '', '', '{{}}' FROM staged_anime ON CONFLICT (mal_id) DO UPDATE"
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
    return changed


def _write_metadata(rows: Sequence[MetadataRow]) -> int:
    values = ("japanese_name", "aired_from", "aired_to", "source", "studios")
    _stage(
        "staged_metadata",
        "SELECT mal_id, japanese_name, aired_from, aired_to, source, studios FROM catalog_anime",
        ((row.mal_id, row.japanese_name, row.aired_from, row.aired_to, row.source, list(row.studios)) for row in rows),
    )
    return _execute(
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

    def binary_rows(self) -> Iterator[bytes]:
        """Each member as a row of PostgreSQL's binary COPY format: external id, anime ids, scores."""
        anime = _array_elements(self.anime, ">i4")
        scores = _array_elements(self.scores, ">i2")
        int4, int2 = anime.dtype.itemsize, scores.dtype.itemsize
        anime_bytes, scores_bytes = anime.tobytes(), scores.tobytes()
        starts = self.starts.tolist()
        for external_id, start, end in zip(self.external_ids.tolist(), starts[:-1], starts[1:], strict=True):
            yield b"".join(
                (
                    b"\0\3\0\0\0\4",
                    external_id.to_bytes(4, "big"),
                    _array_header(_INT4_OID, end - start, int4),
                    anime_bytes[start * int4 : end * int4],
                    _array_header(_INT2_OID, end - start, int2),
                    scores_bytes[start * int2 : end * int2],
                )
            )


def _array_elements(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Each value with its length before it, as PostgreSQL sends the elements of an array."""
    number = np.dtype(dtype)
    elements = np.empty(len(values), dtype=[("length", ">i4"), ("value", number)])
    elements["length"] = number.itemsize
    elements["value"] = values
    return elements


def _array_header(oid: int, n: int, element_bytes: int) -> bytes:
    """Length of the field, one dimension, no NULL, type of the elements, how many, counted from 1."""
    fields = (20 + n * element_bytes, 1, 0, oid, n, 1)
    return b"".join(field.to_bytes(4, "big") for field in fields)


def _write_members(dataset: Dataset, histories: _Histories) -> int:
    _create_staging("staged_member", "SELECT external_id, anime_ids, scores FROM catalog_member")
    with connection.cursor() as cursor:
        # Written once and read once: packing the arrays would only cost time.
        for column in ("anime_ids", "scores"):
            cursor.execute(f"ALTER TABLE staged_member ALTER COLUMN {column} SET STORAGE EXTERNAL")
        with cursor.copy("COPY staged_member FROM STDIN (FORMAT binary)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            for block in _blocks(histories.binary_rows()):
                copy.write(block)
            copy.write(b"\xff\xff")
    return _execute(
        "INSERT INTO catalog_member (dataset_id, external_id, anime_ids, scores)"
        " SELECT {dataset}, external_id, anime_ids, scores FROM staged_member"
        " ON CONFLICT (dataset_id, external_id) DO UPDATE"
        " SET anime_ids = excluded.anime_ids, scores = excluded.scores"
        " WHERE (catalog_member.anime_ids, catalog_member.scores)"
        " IS DISTINCT FROM (excluded.anime_ids, excluded.scores)",
        dataset=sql.Literal(dataset.pk),
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
