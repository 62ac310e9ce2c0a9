"""One worker holds a run at a time: a PostgreSQL advisory lock of the worker's own database session.

The database frees the lock the moment the session ends, so a killed worker leaves nothing to clean up. It needs a
session of one's own: a pooler in transaction mode between the worker and PostgreSQL would break it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

#: The first of the two numbers of our advisory locks: tells them from locks taken for other purposes.
NAMESPACE = 7_240_001


def try_acquire(run_id: int, namespace: int = NAMESPACE) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [namespace, run_id])
        return bool(cursor.fetchone()[0])


def release(run_id: int, namespace: int = NAMESPACE) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [namespace, run_id])


@contextmanager
def held(run_id: int, namespace: int = NAMESPACE) -> Iterator[bool]:
    """Yield whether the lock could be had; release it at the end if so. Other work has another `namespace`."""
    acquired = try_acquire(run_id, namespace)
    try:
        yield acquired
    finally:
        if acquired and connection.is_usable():
            release(run_id, namespace)


def is_held(run_id: int, namespace: int = NAMESPACE) -> bool:
    """Whether some session holds the run, or other work of the `namespace`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s"
            " AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            [namespace, run_id],
        )
        return bool(cursor.fetchone()[0])


def held_ids(namespace: int = NAMESPACE) -> set[int]:
    """What some session holds of the `namespace`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2"
            " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [namespace],
        )
        return {row[0] for row in cursor.fetchall()}
