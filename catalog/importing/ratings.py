"""rating.csv as three arrays: in large blocks by numpy, and line by line where a block is not plain numbers."""

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from catalog.importing.errors import BadRow, DatasetError, Rejects
from catalog.importing.source import RATINGS
from catalog.importing.tables import MAX_INTEGER, MAX_RAW, check_header, whole_number
from catalog.models import MAX_SCORE, MIN_SCORE, UNRATED

COLUMNS = ("user_id", "anime_id", "rating")
BLOCK_BYTES = 2**20
PARSERS = 2
MAX_LINE_BYTES = 2**16
MAX_DIGITS = 9
_COMMA, _NEWLINE, _MINUS, _ZERO = b",\n-0"

#: User ids, anime ids and ratings, each `[n]`.
Triples = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]


def read_ratings(file: IO[bytes], rejects: Rejects, on_bytes: Callable[[int], object] = lambda n: None) -> Triples:
    """All rows of rating.csv in order. `on_bytes` is told how many bytes each step has read."""
    header_line = _decoded(file.readline(MAX_LINE_BYTES).removeprefix(b"\xef\xbb\xbf"))
    header = [name.strip().lower() for name in next(csv.reader([header_line.strip()]), [])]
    check_header(RATINGS, header, COLUMNS)
    places = [header.index(column) for column in COLUMNS]
    blocks: list[Triples] = []
    line = 2
    for block, triples in _in_parallel(_blocks(file), lambda block: _fast(block, places)):
        on_bytes(len(block))
        blocks.append(triples or _slow(block, line, header, rejects))
        line += block.count(b"\n")
    users, anime, ratings = (np.concatenate(column) for column in zip(*blocks, strict=True)) if blocks else _triples([])
    return users, anime, ratings


def _in_parallel(
    blocks: Iterator[bytes], parse: Callable[[bytes], Triples | None]
) -> Iterator[tuple[bytes, Triples | None]]:
    """Each block with what `parse` makes of it, in order; numpy lets several threads parse at once."""
    with ThreadPoolExecutor(PARSERS) as pool:
        pending: deque[tuple[bytes, Future[Triples | None]]] = deque()
        for block in blocks:
            pending.append((block, pool.submit(parse, block)))
            if len(pending) > 2 * PARSERS:
                done, future = pending.popleft()
                yield done, future.result()
        for done, future in pending:
            yield done, future.result()


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The rest of the file, cut at line ends; the last line gets one if it has none."""
    rest = b""
    line = 2
    while block := file.read(BLOCK_BYTES):
        end = block.rfind(b"\n") + 1
        if end:
            whole = rest + block[:end]
            line += whole.count(b"\n")
            yield whole
            rest = block[end:]
        else:
            rest += block
            if len(rest) > 2 * BLOCK_BYTES:
                raise DatasetError(
                    f"{RATINGS}, line {line}, column {COLUMNS[0]}: more than {len(rest):,} bytes without an end of "
                    "line. Correct the line. Nothing was changed."
                )
    if rest:
        yield rest + b"\n"


def _fast(block: bytes, places: Sequence[int]) -> Triples | None:
    """The block's rows, or None unless every line is three whole numbers in range with nothing around them."""
    if max(places) >= len(COLUMNS):
        return None
    text = np.frombuffer(block.replace(b"\r\n", b"\n"), dtype=np.uint8)
    ends = np.flatnonzero((text == _COMMA) | (text == _NEWLINE))
    if len(ends) % 3:
        return None
    kinds = text[ends].reshape(-1, 3)
    if not ((kinds[:, :2] == _COMMA).all() and (kinds[:, 2] == _NEWLINE).all()):
        return None
    starts = np.append(0, ends[:-1] + 1)
    digits = text - np.uint8(_ZERO)
    columns = []
    for place, name in zip(places, COLUMNS, strict=True):
        numbers = _numbers(text, digits, starts[place::3], ends[place::3], signed=name == "rating")
        if numbers is None:
            return None
        columns.append(numbers)
    users, anime, ratings = columns
    in_range = (ratings >= MIN_SCORE) & (ratings <= MAX_SCORE) | (ratings == UNRATED)
    if not (in_range.all() and (anime > 0).all()):
        return None
    return users, anime, ratings.astype(np.int8)


def _numbers(
    text: NDArray[np.uint8], digits: NDArray[np.uint8], starts: NDArray[Any], ends: NDArray[Any], *, signed: bool
) -> NDArray[np.int32] | None:
    """The whole numbers written between `starts` and `ends`, or None if one is not."""
    negative = text[starts] == _MINUS if signed else None
    lengths = ends - starts if negative is None else ends - starts - negative
    if not len(lengths) or lengths.min() < 1 or lengths.max() > MAX_DIGITS:
        return None
    numbers = np.zeros(len(ends), dtype=np.int32)
    for place in range(int(lengths.max())):
        digit = digits[ends - 1 - place]
        if lengths.min() <= place:
            digit[lengths <= place] = 0
        if digit.max() > 9:
            return None
        numbers += np.multiply(digit, 10**place, dtype=np.int32)
    return numbers if negative is None else np.where(negative, -numbers, numbers)


def _slow(block: bytes, first_line: int, header: Sequence[str], rejects: Rejects) -> Triples:
    rows = []
    for line, raw in enumerate(block.replace(b"\r\n", b"\n").split(b"\n")[:-1], start=first_line):
        if not raw.strip():
            continue
        try:
            rows.append(_row(raw, line, header))
        except BadRow as bad:
            rejects.add(bad)
    return _triples(rows)


def _row(raw: bytes, line: int, header: Sequence[str]) -> tuple[int, int, int]:
    shown = _decoded(raw)[:MAX_RAW]
    if len(raw) > MAX_LINE_BYTES:
        raise BadRow(RATINGS, line, header[0], f"the line has {len(raw):,} bytes", shown)
    try:
        values = next(csv.reader(io.StringIO(_decoded(raw)), strict=True))
    except (csv.Error, StopIteration) as error:
        raise BadRow(RATINGS, line, header[0], str(error) or "the line is empty", shown) from error
    if len(values) != len(header):
        column = header[min(len(values), len(header)) - 1]
        raise BadRow(RATINGS, line, column, f"{len(values)} fields, and the header names {len(header)}", shown)
    fields = dict(zip(header, values, strict=True))

    def number(column: str, least: int, most: int) -> int:
        text = fields[column].strip()
        value = whole_number(text)
        if value is None or not least <= value <= most or (column == "rating" and value == 0):
            wanted = f"{MIN_SCORE} to {MAX_SCORE}, or {UNRATED} for watched and not rated"
            wanted = wanted if column == "rating" else f"a whole number from {least} to {most}"
            raise BadRow(RATINGS, line, column, f"{text[:40]!r} is not {wanted}", shown)
        return value

    return (
        number("user_id", 0, MAX_INTEGER),
        number("anime_id", 1, MAX_INTEGER),
        number("rating", UNRATED, MAX_SCORE),
    )


def _triples(rows: Sequence[tuple[int, int, int]]) -> Triples:
    users, anime, ratings = np.array(rows, dtype=np.int32).reshape(-1, 3).T
    return users, anime, ratings.astype(np.int8)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")
