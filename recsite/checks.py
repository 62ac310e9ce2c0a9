"""What the site needs of its stores; `migrate` and `check --database default` look."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import Error, Tags, register
from django.db import connections

LEAST_POSTGRESQL = 15


@register(Tags.database)
def postgresql_is_new_enough(databases: Sequence[str] | None = None, **kwargs: Any) -> list[Error]:
    errors = []
    for alias in databases or ():
        connection = connections[alias]
        connection.ensure_connection()
        version = connection.pg_version // 10_000  # type: ignore[attr-defined]  # the backend is PostgreSQL's
        if version < LEAST_POSTGRESQL:
            errors.append(
                Error(
                    f"The database {alias} is PostgreSQL {version}; the site needs {LEAST_POSTGRESQL} or newer.",
                    hint="Upgrade the server, or unset DATABASE_URL for the embedded one.",
                    id="recsite.E001",
                )
            )
    return errors
