"""A data set's interactions grouped into one history a member."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.datasets.ratings import Triples, joined


class ScatteredError(Exception):
    """The interactions are not in order of members, so that no history is whole before the last of them."""


@dataclass(frozen=True)
class Histories:
    """Interactions in order of member and anime; member i's are those from `starts[i]` to `starts[i + 1]`.

    `repeated` counts the interactions that came before with the same score, and `contradicted` those that a later
    one with another score has replaced.
    """

    external_ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    anime: NDArray[np.int32]
    scores: NDArray[np.int8]
    repeated: int = 0
    contradicted: int = 0

    def __len__(self) -> int:
        return len(self.external_ids)

    @classmethod
    def of(cls, triples: Triples) -> "Histories":
        """Sorted, and of several ratings of one anime by one member the last."""
        users, anime, scores = triples
        contradicted = 0
        rows = len(users)
        rises = (users[1:] > users[:-1]) | ((users[1:] == users[:-1]) & (anime[1:] > anime[:-1]))
        if not rises.all():
            place = users.astype(np.int64) << 32 | anime
            order = np.argsort(place, kind="stable")
            users, anime, scores, place = users[order], anime[order], scores[order], place[order]
            is_last = np.append(place[1:] != place[:-1], True)
            contradicted = int(np.count_nonzero(~is_last[:-1] & (scores[1:] != scores[:-1])))
            users, anime, scores = users[is_last], anime[is_last], scores[is_last]
        starts = np.flatnonzero(np.append(True, users[1:] != users[:-1])) if len(users) else np.zeros(0, np.int64)
        repeated = rows - len(users) - contradicted
        return cls(users[starts], np.append(starts, len(users)), anime, scores, repeated, contradicted)


def histories_in_turn(blocks: Iterable[Triples]) -> Iterator[Histories]:
    """Some members' histories at a time, each as soon as the next member shows that it is whole.

    Raises ScatteredError when a member comes after a later one.
    """
    rest = joined([])
    last = -1
    for block in blocks:
        users, anime, scores = joined([rest, block])
        whole = int(np.argmax(users == users[-1])) if len(users) else 0
        rest = users[whole:], anime[whole:], scores[whole:]
        if whole:
            last = _check_order(last, users[:whole])
            yield Histories.of((users[:whole], anime[:whole], scores[:whole]))
    if len(rest[0]):
        _check_order(last, rest[0])
        yield Histories.of(rest)


def _check_order(last: int, users: NDArray[np.int32]) -> int:
    """The last of `users`, when they follow on `last`."""
    if users.min() <= last:
        raise ScatteredError
    return int(users.max())
