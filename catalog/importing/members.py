"""The histories of a data set's members: grouped by numpy, and sent in PostgreSQL's binary COPY format."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray
from psycopg import sql

from catalog.importing.ratings import Triples
from catalog.importing.staging import create_staging, execute
from catalog.models import Dataset

_INT4_OID, _INT2_OID = 23, 21
#: A row as far as the first array: number of fields; data set and external id, each after its length; then what
#: comes before an array's elements: length of the field, one dimension, no NULL, type of the elements, how many,
#: counted from 1.
_ROW = struct.Struct(">h iq ii 6i")
_SECOND_ARRAY = struct.Struct(">6i")
_COPY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_COLUMNS = "dataset_id, external_id, anime_ids, scores"


@dataclass(frozen=True)
class Histories:
    """Interactions in order of member and anime; member i's are those from `starts[i]` to `starts[i + 1]`.

    `repeated` counts the interactions that came before with the same score, and `contradicted` those that a later
    one with another score has replaced.
    """

    external_ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    anime: NDArray[np.int32]
    scores: NDArray[np.int8]
    repeated: int = 0
    contradicted: int = 0

    def __len__(self) -> int:
        return len(self.external_ids)

    @classmethod
    def of(cls, triples: Triples) -> "Histories":
        """Sorted, and of several ratings of one anime by one member the last."""
        users, anime, scores = triples
        contradicted = 0
        rows = len(users)
        rises = (users[1:] > users[:-1]) | ((users[1:] == users[:-1]) & (anime[1:] > anime[:-1]))
        if not rises.all():
            place = users.astype(np.int64) << 32 | anime
            order = np.argsort(place, kind="stable")
            users, anime, scores, place = users[order], anime[order], scores[order], place[order]
            is_last = np.append(place[1:] != place[:-1], True)
            contradicted = int(np.count_nonzero(~is_last[:-1] & (scores[1:] != scores[:-1])))
            users, anime, scores = users[is_last], anime[is_last], scores[is_last]
        starts = np.flatnonzero(np.append(True, users[1:] != users[:-1])) if len(users) else np.zeros(0, np.int64)
        repeated = rows - len(users) - contradicted
        return cls(users[starts], np.append(starts, len(users)), anime, scores, repeated, contradicted)

    def binary_rows(self, dataset_id: int) -> Iterator[bytes]:
        """The members' rows, each in four parts: data set, external id, anime ids, scores."""
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


def insert_members(dataset: Dataset, histories: Histories) -> int:
    """Write the members of a data set that has none yet, straight to their place; return how many."""
    _copy("catalog_member", dataset, histories)
    return len(histories)


def replace_members(dataset: Dataset, histories: Histories) -> int:
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


def _copy(table: str, dataset: Dataset, histories: Histories) -> None:
    query = f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.write(_COPY_START)
        for block in _blocks(histories.binary_rows(dataset.pk)):
            copy.write(block)
        copy.write(_COPY_END)


def _blocks(parts: Iterable[bytes], size: int = 2**18) -> Iterator[bytes]:
    block: list[bytes] = []
    length = 0
    for part in parts:
        block.append(part)
        length += len(part)
        if length > size:
            yield b"".join(block)
            block, length = [], 0
    yield b"".join(block)
