"""How people scored an anime, and how they score at all: members of data sets and accounts together."""

from django.db.models import Count

from catalog.models import MAX_SCORE, MemberScores, Rating

Counts = tuple[int, ...]


def of_anime(anime_id: int) -> Counts:
    """How many gave the anime each score from 1 to 10. Two queries by index."""
    counts = [0] * MAX_SCORE
    for row in MemberScores.objects.filter(anime_id=anime_id).values_list("counts", flat=True):
        counts = [a + b for a, b in zip(counts, row, strict=True)]
    given = Rating.objects.filter(anime_id=anime_id).order_by().values_list("score").annotate(Count("pk"))
    for score, people in given:
        counts[score - 1] += people
    return tuple(counts)


def of_members() -> Counts:
    """How many times each score from 1 to 10 was given to any anime by members of data sets. One query."""
    counts = [0] * MAX_SCORE
    for row in MemberScores.objects.values_list("counts", flat=True).iterator():
        counts = [a + b for a, b in zip(counts, row, strict=True)]
    return tuple(counts)


def shares(counts: Counts) -> tuple[float, ...]:
    """Of 1; all 0 where nobody scored."""
    total = sum(counts)
    return tuple(count / total if total else 0.0 for count in counts)
