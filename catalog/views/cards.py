"""An anime as lists show it: the row, what the viewer said of it, and why it is there."""

from collections.abc import Iterable
from dataclasses import dataclass

from catalog.feedback import Feedback
from catalog.models import Anime

#: All that a card shows; the rest of a row is not read for a list.
FIELDS = ("mal_id", "name", "japanese_name", "type", "episodes", "score", "members", "aired_from", "updated_at")


@dataclass(frozen=True)
class Reason:
    """One of the viewer's own ratings."""

    anime: Anime
    score: int


@dataclass(frozen=True)
class Card:
    """`score` and `status` are the viewer's, `predicted` is what a model thinks they would give (1-10)."""

    anime: Anime
    score: int | None = None
    status: str = ""
    predicted: float | None = None
    because: tuple[Reason, ...] = ()


def cards(anime: Iterable[Anime], feedback: Feedback) -> list[Card]:
    return [
        Card(anime=one, score=feedback.ratings.get(one.pk), status=feedback.statuses.get(one.pk, "")) for one in anime
    ]
