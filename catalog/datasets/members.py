"""The members of a data set into the database: their histories in PostgreSQL's binary COPY format."""

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray
from psycopg import sql

from catalog.datasets.grouping import Histories, ScatteredError, histories_in_turn
from catalog.datasets.ratings import Triples, joined
from catalog.datasets.staging import create_staging, execute
from catalog.models import MAX_SCORE, UNRATED, Dataset, MemberScores

_INT4_OID, _INT2_OID = 23, 21
#: A row as far as the first array: number of fields; data set and external id, each after its length; then what
#: comes before an array's elements: length of the field, one dimension, no NULL, type of the elements, how many,
#: counted from 1.
_ROW = struct.Struct(">h iq ii 6i")
_SECOND_ARRAY = struct.Struct(">6i")
_COPY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_COLUMNS = "dataset_id, external_id, anime_ids, scores"


class Tally:
    """Counts what passes through it on its way to the database.

    `counts` `[n_anime, 11]` is how many gave each anime of `catalogue` each score; column 0 is for no score.
    """

    def __init__(self, catalogue: NDArray[np.int32]) -> None:
        self.members = self.interactions = self.ratings = self.repeated = self.contradicted = 0
        self.catalogue = np.sort(catalogue)
        self.counts = np.zeros((len(catalogue), MAX_SCORE + 1), dtype=np.int64)

    @property
    def rated_anime(self) -> int:
        return int(np.count_nonzero(self.counts.any(axis=1)))

    def counted(self, histories: Iterable[Histories]) -> Iterator[Histories]:
        for some in histories:
            self.members += len(some)
            self.interactions += len(some.anime)
            self.ratings += int(np.count_nonzero(some.scores != UNRATED))
            self.repeated += some.repeated
            self.contradicted += some.contradicted
            rows = np.searchsorted(self.catalogue, some.anime)
            cells = rows * (MAX_SCORE + 1) + np.maximum(some.scores, 0)
            self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)
            yield some


def write_members(
    dataset: Dataset, blocks: Iterator[Triples], catalogue: NDArray[np.int32], *, is_new: bool
) -> tuple[int, Tally]:
    """Give the data set the members whose interactions with anime of the catalogue come in `blocks`.

    The server stores the first histories while the next are read, when they come in order of members, as they do in
    Kaggle's file; of another file all must be read first. Returns how many members differed, and what was written.
    """
    read: list[Triples] = []

    def kept() -> Iterator[Triples]:
        for block in blocks:
            read.append(block)
            yield block

    write = _insert if is_new else _replace
    try:
        tally = Tally(catalogue)
        with transaction.atomic():
            return write(dataset, tally.counted(histories_in_turn(kept()))), tally
    except ScatteredError:
        tally = Tally(catalogue)
        histories = Histories.of(joined([*read, *blocks]))
        return write(dataset, tally.counted([histories])), tally


def write_scores(dataset: Dataset, tally: Tally) -> None:
    """Keep how the data set's members scored each anime, in place of what the last load said."""
    MemberScores.objects.filter(dataset=dataset).delete()
    rated = tally.counts[:, 1:].any(axis=1)
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY catalog_memberscores (dataset_id, anime_id, counts) FROM STDIN") as copy,
    ):
        for anime, counts in zip(tally.catalogue[rated].tolist(), tally.counts[rated, 1:].tolist(), strict=True):
            copy.write_row((dataset.pk, anime, counts))


def _insert(dataset: Dataset, histories: Iterable[Histories]) -> int:
    """Write the members of a data set that has none yet straight to their place; return how many."""
    return _copy("catalog_member", dataset, histories)


def _replace(dataset: Dataset, histories: Iterable[Histories]) -> int:
    """Add, change and remove members so that the data set has these; return how many differed."""
    create_staging("staged_member", f"SELECT {_COLUMNS} FROM catalog_member")  # noqa: S608  no input
    with connection.cursor() as cursor:
        # Written once and read once: packing the arrays would only cost time.
        for column in ("anime_ids", "scores"):
            cursor.execute(f"ALTER TABLE staged_member ALTER COLUMN {column} SET STORAGE EXTERNAL")
    _copy("staged_member", dataset, histories)
    removed = execute(
        "DELETE FROM catalog_member WHERE dataset_id = {dataset}"
        " AND external_id NOT IN (SELECT external_id FROM staged_member)",
        dataset=sql.Literal(dataset.pk),
    )
    written = execute(
        f"INSERT INTO catalog_member ({_COLUMNS}) SELECT {_COLUMNS} FROM staged_member"  # noqa: S608  no input
        " ON CONFLICT (dataset_id, external_id) DO UPDATE"
        " SET anime_ids = excluded.anime_ids, scores = excluded.scores"
        " WHERE (catalog_member.anime_ids, catalog_member.scores)"
        " IS DISTINCT FROM (excluded.anime_ids, excluded.scores)"
    )
    return removed + written


def _copy(table: str, dataset: Dataset, histories: Iterable[Histories]) -> int:
    """Send the members' rows, and return how many."""
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
            copy.write(_COPY_START)
            for some in histories:
                copy.write(b"".join(_binary_rows(dataset.pk, some)))
            copy.write(_COPY_END)
        return int(cursor.rowcount)


def _binary_rows(dataset_id: int, histories: Histories) -> Iterator[bytes]:
    """The members' rows, each in four parts: data set and external id; anime ids; what is before the scores; scores."""
    anime = _array_elements(histories.anime, ">i4")
    scores = _array_elements(histories.scores, ">i2")
    int4, int2 = anime.dtype.itemsize, scores.dtype.itemsize
    anime_bytes, scores_bytes = anime.tobytes(), scores.tobytes()
    starts = histories.starts.tolist()
    for external_id, start, end in zip(histories.external_ids.tolist(), starts[:-1], starts[1:], strict=True):
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
