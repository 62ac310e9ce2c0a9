"""rating.csv as three arrays: in large blocks by numpy, and line by line where a block is not plain numbers."""

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

import numpy as np
from numpy.typing import NDArray

from catalog.datasets.errors import BadRow, DatasetError, Rejects
from catalog.datasets.source import RATINGS
from catalog.datasets.tables import MAX_INTEGER, MAX_RAW, check_header, whole_number
from catalog.models import MAX_SCORE, MIN_SCORE, UNRATED

COLUMNS = ("user_id", "anime_id", "rating")
BLOCK_BYTES = 2**20
PARSERS = 2
MAX_LINE_BYTES = 2**16
_COMMA, _NEWLINE, _MINUS = b",\n-"  # no digit and no sign is below a minus, and both separators are

#: Eight characters as a number, the first one in its lowest byte.
_WORD = np.dtype("<u8")
_ZEROS, _SIXES, _HIGH_HALVES = (np.uint64(byte * 0x0101010101010101) for byte in (0x30, 0x06, 0xF0))
#: Element n keeps the last n of the eight.
_LAST_BYTES = np.array([2**64 - 2 ** (64 - 8 * n) for n in range(9)], dtype=np.uint64)
#: Each step makes one number of two neighbours, in twice as many bits: times, shift, what to keep.
_PAIRINGS = tuple(
    (np.uint64((10**digits << bits) + 1), np.uint64(bits), np.uint64(keep))
    for digits, bits, keep in ((1, 8, 0x00FF00FF00FF00FF), (2, 16, 0x0000FFFF0000FFFF), (4, 32, 0xFFFFFFFF))
)

#: User ids, anime ids and ratings, each `[n]`.
Triples = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]


def read_ratings(
    file: IO[bytes], rejects: Rejects, on_bytes: Callable[[int], object] = lambda n: None
) -> Iterator[Triples]:
    """The rows of rating.csv in order, some at a time. `on_bytes` is told how many bytes each step has read."""
    header_line = _decoded(file.readline(MAX_LINE_BYTES).removeprefix(b"\xef\xbb\xbf"))
    header = [name.strip().lower() for name in next(csv.reader([header_line.strip()]), [])]
    check_header(RATINGS, header, COLUMNS)
    places = [header.index(column) for column in COLUMNS]
    line = 2
    for block, triples in _in_parallel(_blocks(file), lambda block: _fast(block, places)):
        on_bytes(len(block))
        yield triples or _slow(block, line, header, rejects)
        line += block.count(b"\n")


def joined(blocks: Sequence[Triples]) -> Triples:
    """The rows of all blocks."""
    users, anime, ratings = (np.concatenate(column) for column in zip(_triples([]), *blocks, strict=True))
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
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    # In front, so that eight bytes can be read before the end of any field.
    text = np.frombuffer(bytes(_WORD.itemsize) + block, dtype=np.uint8)
    ends = np.flatnonzero(text[_WORD.itemsize :] < _MINUS) + _WORD.itemsize
    if len(ends) % 3:
        return None
    kinds = text[ends].reshape(-1, 3)
    if not ((kinds[:, :2] == _COMMA).all() and (kinds[:, 2] == _NEWLINE).all()):
        return None
    lengths = ends - np.append(_WORD.itemsize - 1, ends[:-1]) - 1
    columns = []
    for place, name in zip(places, COLUMNS, strict=True):
        numbers = _numbers(text, ends[place::3], lengths[place::3], signed=name == "rating")
        if numbers is None:
            return None
        columns.append(numbers)
    users, anime, ratings = columns
    in_range = (ratings >= MIN_SCORE) & (ratings <= MAX_SCORE) | (ratings == UNRATED)
    if not (in_range.all() and (anime > 0).all()):
        return None
    return users, anime, ratings.astype(np.int8)


def _numbers(
    text: NDArray[np.uint8], ends: NDArray[np.int64], lengths: NDArray[np.int64], *, signed: bool
) -> NDArray[np.int32] | None:
    """The whole numbers of `lengths` characters before `ends`, or None if one is not.

    Eight characters at a time, in one machine word: https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/
    """
    negative = text[ends - lengths] == _MINUS if signed else np.zeros(1, dtype=bool)
    lengths = lengths - negative
    if lengths.min() < 1 or lengths.max() > _WORD.itemsize:
        return None
    words = np.ndarray(len(text) - _WORD.itemsize + 1, dtype=_WORD, buffer=text, strides=(1,))
    digits = (words[ends - _WORD.itemsize] ^ _ZEROS) & _LAST_BYTES[lengths]
    if (((digits + _SIXES) | digits) & _HIGH_HALVES).any():
        return None
    for times, shift, keep in _PAIRINGS:
        digits = (digits * times >> shift) & keep
    numbers = digits.astype(np.int32)
    return np.where(negative, -numbers, numbers) if signed else numbers


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
