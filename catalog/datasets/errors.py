"""What is said of a data set that cannot be loaded as it is."""

from collections.abc import Callable
from dataclasses import dataclass


class DatasetError(Exception):
    """The data set cannot be loaded and nothing was changed; the message says why and what to do."""


@dataclass(frozen=True)
class BadRow(Exception):
    """One line that cannot be loaded, with where the fault is. `line` counts from 1, the header's."""

    file: str
    line: int
    column: str
    reason: str
    raw: str = ""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}, column {self.column}: {self.reason}"


class Rejects:
    """Bad rows: the first one ends the load, unless there is somewhere to `write` them."""

    def __init__(self, write: Callable[[BadRow], object] | None = None) -> None:
        self.count = 0
        self._write = write

    def add(self, row: BadRow) -> None:
        """Count and write the row. Raises DatasetError where there is nowhere to write it."""
        if self._write is None:
            raise DatasetError(f"{row}. Correct the line, or load the rest with --skip-bad FILE. Nothing was changed.")
        self.count += 1
        self._write(row)


def printable(text: str) -> str:
    """The text with an escape for each byte that was not UTF-8, so that it can be shown and written."""
    return text.encode("utf-8", "backslashreplace").decode()
