"""What is said of a data set that cannot be loaded as it is."""

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
    """Bad rows: the first one ends the load, unless they are to be collected."""

    def __init__(self, *, collects: bool) -> None:
        self.collects = collects
        self.rows: list[BadRow] = []

    def add(self, row: BadRow) -> None:
        if not self.collects:
            raise DatasetError(f"{row}. Correct the line, or load the rest with --skip-bad FILE. Nothing was changed.")
        self.rows.append(row)
