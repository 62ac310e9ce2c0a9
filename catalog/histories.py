"""Everybody's interactions as arrays, for training."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from catalog.models import UNRATED, Anime, ListEntry, ListStatus, Member, Rating

Interactions = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]

#: A title on the list with one of these was watched, rated or not.
WATCHED = (ListStatus.WATCHING, ListStatus.COMPLETED, ListStatus.DROPPED)
MEMBERS_AT_ONCE = 2000


def read_interactions() -> Interactions:
    """User ids, anime ids and ratings (1-10, or UNRATED), each `[n]`, of one moment.

    An account's user id is its primary key; a data set member's is minus its row's, so that the two never meet.
    Anime that the catalogue does not have (any more) are left out.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        known = np.sort(np.fromiter(Anime.objects.order_by().values_list("pk", flat=True), dtype=np.int64))
        parts = [_accounts(), *_members()]
    users, anime, ratings = (np.concatenate(column) for column in zip(*parts, strict=True))
    there = np.isin(anime, known)
    return users[there], anime[there], ratings[there]


def _accounts() -> Interactions:
    rated = {(user, anime): score for user, anime, score in Rating.objects.values_list("user_id", "anime_id", "score")}
    watched = ListEntry.objects.filter(status__in=WATCHED).values_list("user_id", "anime_id")
    rows = {**dict.fromkeys(watched.iterator(), UNRATED), **rated}
    users, anime = np.array(list(rows), dtype=np.int64).reshape(-1, 2).T
    return users, anime, np.fromiter(rows.values(), dtype=np.int8, count=len(rows))


def _members() -> Iterator[Interactions]:
    """Each batch of members as arrays: the database sends a history as it lies there, and numpy unpacks it."""
    rows: list[tuple[int, bytes, bytes]] = []
    for row in _copy_members():
        rows.append(row)
        if len(rows) == MEMBERS_AT_ONCE:
            yield _unpacked(rows)
            rows = []
    if rows:
        yield _unpacked(rows)


def _copy_members() -> Iterator[tuple[Any, ...]]:
    table = connection.ops.quote_name(Member._meta.db_table)
    with connection.cursor() as cursor:
        query = f"COPY (SELECT id, anime_ids, scores FROM {table}) TO STDOUT (FORMAT binary)"  # noqa: S608  no input
        with cursor.copy(query) as copy:
            copy.set_types(["int8", "bytea", "bytea"])  # the arrays stay bytes
            yield from copy.rows()


def _unpacked(rows: list[tuple[int, bytes, bytes]]) -> Interactions:
    anime = [_elements(ids, ">i4") for _, ids, _ in rows]
    ratings = [_elements(scores, ">i2") for _, _, scores in rows]
    lengths = [len(one) for one in anime]
    members = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
    return (
        np.repeat(-members, lengths),
        np.concatenate(anime).astype(np.int64),
        np.concatenate(ratings).astype(np.int8),
    )


def _elements(array: bytes, dtype: str) -> NDArray[Any]:
    """The elements of a PostgreSQL array without NULLs in its binary form: a header of 20 bytes, then for each
    element its length in 4 bytes and its value."""
    number = np.dtype(dtype)
    layout = np.dtype([("length", ">i4"), ("value", number)])
    return np.frombuffer(array, dtype=layout, offset=20)["value"]
