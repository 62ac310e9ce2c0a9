"""How many queries something costs."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Fail when the block asks the database more often, besides once for the session.

    Sessions are not cached, so that a log-out holds whatever becomes of Valkey.
    """
    with CaptureQueriesContext(connection) as queries:
        yield
    asked = [query["sql"] for query in queries]
    others = [sql for sql in asked if 'FROM "django_session"' not in sql]
    assert len(asked) - len(others) <= 1, asked
    assert len(others) <= count, others
