"""What titles alone say of franchises: a strict guess and a wide one, until the catalogue knows relations.

The strict guess may keep an anime out of a list in which another of its franchise stands, so it has to be right: two
titles share all their words but those that mark a season or a kind, and the name of the part behind "Movie" or "OVA".
The wide guess says what a title probably belongs to. It serves where one anime too many does little harm: to show side
by side what belongs together, and to keep the rest of a franchise away from somebody who disliked it.
"""

import html
import re
from collections import defaultdict
from collections.abc import Container, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Name = tuple[str, ...]

#: Words for the form in which a part of a work came. What follows one names the part: "Movie 2: Name of the part".
_FORMS = frozenset(
    {"movie", "movies", "gekijouban", "film", "films", "ova", "ovas", "oav", "oad", "ona", "special", "specials"}
    | {"season", "seasons", "recap"}
)
#: Further words that tell the parts of a work apart and name nothing.
_MARKS = _FORMS | frozenset(
    {"the", "animation", "series", "stage", "part", "cour", "tv", "digest", "episode", "episodes", "pilot", "picture"}
    | {"drama", "extra", "extras", "first", "second", "third", "fourth", "fifth", "sixth", "final"}
    | {"zenpen", "chuuhen", "kouhen"}
)
_NUMBER = re.compile(r"[rs]?\d+(?:st|nd|rd|th)?|[ivx]{2,}|v")
_WORD = re.compile(r"[^\W_]+")
_SEPARATOR = re.compile(r":| - |\(")
#: With fewer letters a name of one word begins too many titles to say anything: "K" is not in "K-On!".
_LETTERS = 3


class WideFranchises(NamedTuple):
    """The wide guess of a catalogue of `n_titles`.

    Attributes:
        numbers: `[n_titles]`, the same for titles that begin with the name of one franchise.
        members: for each such number the places of all titles that name the franchise, be it behind a colon.
    """

    numbers: NDArray[np.int64]
    members: tuple[NDArray[np.int64], ...]


def strict_franchises(titles: Sequence[str]) -> NDArray[np.int64]:
    """The strict guess: a number for each title `[n_titles]`, the same for those of one franchise."""
    return _numbers([_without_marks(_words(title) or (title,)) for title in titles])


def wide_franchises(titles: Sequence[str]) -> WideFranchises:
    """The wide guess: "Name Z: The Return" is of the franchise "Name" if that is an anime's name, too."""
    segments = [
        [words for part in _SEPARATOR.split(title) if (words := _words(part))] or [(title,)] for title in titles
    ]
    names = [_main_name(of_title[0]) for of_title in segments]
    known = {name for name in names if len(name) > 1}
    roots = [_beginnings(name, known, least=2)[0] if len(name) > 1 else name for name in names]
    numbers = _numbers(roots)
    number_of = dict(zip(roots, numbers.tolist(), strict=True))
    places: defaultdict[int, set[int]] = defaultdict(set)
    for place, of_title in enumerate(segments):
        found = {roots[place], *_beginnings(of_title[0], number_of)}
        found.update(name for words in of_title[1:] if (name := _main_name(words)) in number_of)
        for name in found:
            if name == roots[place] or len("".join(name)) >= _LETTERS:
                places[number_of[name]].add(place)
    members = tuple(np.array(sorted(places[number]), dtype=np.int64) for number in range(len(places)))
    return WideFranchises(numbers, members)


def _words(title: str) -> Name:
    return tuple(_WORD.findall(html.unescape(title).casefold()))


def _is_mark(word: str) -> bool:
    return word in _MARKS or _NUMBER.fullmatch(word) is not None


def _without_marks(words: Name) -> Name:
    """The words that name the work. The first word always does: "Movie Star" is not "Star"."""
    form = next((place for place, word in enumerate(words) if place and word in _FORMS), len(words))
    return words[:1] + tuple(word for word in words[1:form] if not _is_mark(word))


def _main_name(words: Name) -> Name:
    """The words before the first mark, the first word always among them."""
    marks = (place for place, word in enumerate(words) if place and _is_mark(word) and word != "the")
    name = words[: next(marks, len(words))]
    return name[:-1] if len(name) > 1 and name[-1] == "the" else name  # "Name the Movie"


def _beginnings(words: Name, known: Container[Name], least: int = 1) -> list[Name]:
    """Those of the `known` names with which the words begin, the shortest first."""
    return [words[:length] for length in range(least, len(words) + 1) if words[:length] in known]


def _numbers(names: Sequence[Name]) -> NDArray[np.int64]:
    """A number for each name, counted from 0 in the order in which they come first."""
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], dtype=np.int64)
