"""Search by any part of a title in any of its languages, typos forgiven.

Titles are held in the process, spelled plainly, and read again when the catalogue changes. A query first looks for
titles that contain it; when none does, for those that are nearest to it letter by letter. The better known comes first
among equals.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import overload

import numpy as np
from rapidfuzz import fuzz, process

from catalog.models import Anime, AnimeQuerySet

MAX_QUERY = 100
#: As many titles are compared letter by letter: those that share most pairs of letters with the query.
MAX_COMPARED = 2000
#: Of 100: a title less alike than this is not what was meant.
LEAST_LIKENESS = 60
#: Points for each tenfold number of people who know a title, beside likeness in points of 100.
POINTS_FOR_FAME = 3.0

_EXACT, _BEGINS, _WORD_BEGINS, _WORDS_BEGIN, _CONTAINS = 5, 4, 3, 2, 1


class BestFirst(Sequence[Anime]):
    """The anime of `queryset` that `query` may mean, best match first: one query for their ids, and one for a slice."""

    def __init__(self, query: str, queryset: AnimeQuerySet) -> None:
        ids = matches(query)
        kept = set(queryset.filter(pk__in=ids).order_by().values_list("pk", flat=True))
        self.ids = [pk for pk in ids if pk in kept]
        self._queryset = queryset

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Anime]:
        return iter(self[:])

    @overload
    def __getitem__(self, place: int) -> Anime: ...
    @overload
    def __getitem__(self, place: slice) -> list[Anime]: ...
    def __getitem__(self, place: int | slice) -> Anime | list[Anime]:
        if isinstance(place, int):
            return self._queryset.get(pk=self.ids[place])
        anime = {one.pk: one for one in self._queryset.filter(pk__in=self.ids[place])}
        return [anime[pk] for pk in self.ids[place] if pk in anime]


def matches(query: str) -> list[int]:
    """Ids of the best matches in the whole catalogue, best first."""
    # Twice, since one character can stand for eighteen.
    plain = plainly(query[:MAX_QUERY])[:MAX_QUERY].strip()
    if not plain:
        return []
    return _titles(Anime.objects.version()).matches(plain)


def plainly(text: str) -> str:
    """Lower case, without accents, width variants and punctuation, and with one space between words."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\0", " ")).casefold()
    # Accents of Latin letters only: the marks of kana lie elsewhere and make other letters.
    without_accents = re.sub("[\u0300-\u036f]", "", decomposed)
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFC", without_accents)))


@dataclass(frozen=True)
class Titles:
    """Every title, spelled plainly: `ids[i]` is called `plain[i]`, or `joined[i]` without spaces, `fame[i]` points.

    An anime with a Japanese title is in it twice. `pairs` holds every two neighbouring letters of every title, sorted,
    and title `holders[j]` is the one that has `pairs[j]`.
    """

    ids: list[int]
    plain: list[str]
    joined: list[str]
    fame: np.ndarray
    pairs: np.ndarray
    holders: np.ndarray

    @classmethod
    def of(cls, rows: list[tuple[int, str, str, int]]) -> "Titles":
        """From rows of id, name, Japanese name and number of members."""
        titles = [
            (mal_id, plain, members)
            for mal_id, *names, members in rows
            for plain in dict.fromkeys(map(plainly, names))
            if plain
        ]
        letters = _letters("".join(f"{plain}\n" for _, plain, _ in titles))
        pairs = _pairs(letters)
        order = np.argsort(pairs, kind="stable")
        return cls(
            ids=[mal_id for mal_id, _, _ in titles],
            plain=[plain for _, plain, _ in titles],
            joined=[plain.replace(" ", "") for _, plain, _ in titles],
            fame=POINTS_FOR_FAME * np.log10(np.array([members for _, _, members in titles], dtype=np.float64) + 1),
            pairs=pairs[order],
            holders=np.cumsum(letters == ord("\n"))[:-1][order],
        )

    def matches(self, query: str) -> list[int]:
        """Ids of the best matches of a plain `query`, best first."""
        scores = self._containing(query)
        if not scores:
            scores = self._alike(query)
        best = sorted(scores, key=lambda place: (-scores[place], self.ids[place]))
        return list(dict.fromkeys(self.ids[place] for place in best))

    def _containing(self, query: str) -> dict[int, float]:
        joined = query.replace(" ", "")
        words = query.split()
        found = {}
        for place, title in enumerate(self.plain):
            if joined in self.joined[place]:
                kind = _kind(query, title)
            elif len(words) > 1 and all(f" {word}" in f" {title}" for word in words):
                kind = _WORDS_BEGIN
            else:
                continue
            # A better kind of match outweighs any fame but for what is hardly known.
            found[place] = 10.0 * kind + self.fame[place]
        return found

    def _alike(self, query: str) -> dict[int, float]:
        places = self._sharing_pairs(query)
        titles = [self.plain[place] for place in places]
        if not titles:
            return {}
        whole = process.cdist([query], titles, scorer=fuzz.ratio, workers=1)[0]
        part = process.cdist([query], titles, scorer=fuzz.partial_ratio, workers=1)[0]
        # A title shorter than the query is not found by being a part of it.
        lengths = np.fromiter(map(len, titles), dtype=np.float64, count=len(titles))
        covered = np.minimum(lengths / len(query), 1.0)
        likeness = 0.35 * whole + 0.65 * part * covered
        scores = likeness + self.fame[places]
        return {int(places[i]): float(scores[i]) for i in np.flatnonzero(likeness >= LEAST_LIKENESS)}

    def _sharing_pairs(self, query: str) -> np.ndarray:
        """The places of at most MAX_COMPARED titles, the better known among those that share equally many pairs."""
        shared = np.zeros(len(self.plain))
        for pair in np.unique(_pairs(_letters(query))):
            first, last = np.searchsorted(self.pairs, [pair, pair + 1])
            shared[self.holders[first:last]] += 1  # once, however often the title has the pair
        places = np.flatnonzero(shared)
        better = np.lexsort((-self.fame[places], -shared[places]))
        return places[better[:MAX_COMPARED]]


def _letters(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "replace"), dtype="<u4").astype(np.int64)


def _pairs(letters: np.ndarray) -> np.ndarray:
    """Every two neighbours as one number; a letter takes 21 bits."""
    pairs: np.ndarray = (letters[:-1] << 21) | letters[1:]
    return pairs


def _kind(query: str, title: str) -> int:
    if title == query:
        return _EXACT
    if title.startswith(query):
        return _BEGINS
    return _WORD_BEGINS if f" {query}" in title else _CONTAINS


@lru_cache(maxsize=1)
def _titles(version: str) -> Titles:
    return Titles.of(list(Anime.objects.order_by().values_list("pk", "name", "japanese_name", "members")))


def forget() -> None:
    """Drop the titles that this process holds, so that the next search reads them again."""
    _titles.cache_clear()
