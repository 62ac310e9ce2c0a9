"""Temporary tables that a load fills by COPY and then merges set by set."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from psycopg import sql


def stage(table: str, like: str, rows: Iterable[Sequence[Any]]) -> None:
    """Put `rows` into a temporary table with the columns and types of the query `like`."""
    create_staging(table, like)
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"ANALYZE {table}")


def create_staging(table: str, like: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")
        cursor.execute(f"CREATE TEMP TABLE {table} ON COMMIT DROP AS {like} WITH NO DATA")


def execute(query: str, **parts: sql.Composable) -> int:
    """Run one statement, its placeholders in braces filled with `parts`, and say how many rows it changed."""
    with connection.cursor() as cursor:
        composed = sql.SQL(query).format(**parts).as_string(cursor.connection)
        cursor.execute(composed)
        return int(cursor.rowcount)


def names(columns: Sequence[str], table: str | None = None) -> sql.Composable:
    """The columns, of `table` where one is given, with commas between."""
    return sql.SQL(", ").join(sql.Identifier(*([table] if table else []), column) for column in columns)
