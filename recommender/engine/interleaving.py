"""Two rankings in one list, so that whoever is shown it judges between them; and what such judgements say."""

from collections.abc import Sequence
from math import comb, erfc, sqrt

import numpy as np

#: Above this many judges the exact sum is long, and the normal approximation is as good.
EXACT_UP_TO = 1000


def team_draft(
    first: Sequence[int], second: Sequence[int], k: int, rng: np.random.Generator
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The up to `k` items of both rankings, and the team of each: 0 for `first`, 1 for `second`.

    In each round both rankings, in an order drawn by lot, add the best that the list does not have yet, so that
    neither has an advantage of place (team-draft interleaving; Radlinski, Kurup, Joachims, 2008).
    """
    rankings = (first, second)
    places = [0, 0]
    items: list[int] = []
    teams: list[int] = []
    taken: set[int] = set()
    while len(items) < k:
        before = len(items)
        start = int(rng.integers(2))
        for team in (start, 1 - start):
            ranking = rankings[team]
            while places[team] < len(ranking) and ranking[places[team]] in taken:
                places[team] += 1
            if places[team] < len(ranking) and len(items) < k:
                item = ranking[places[team]]
                items.append(item)
                teams.append(team)
                taken.add(item)
        if len(items) == before:
            break
    return tuple(items), tuple(teams)


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p-value of so many wins and losses, ties left out, if either were as likely as the other."""
    n = wins + losses
    if not n:
        return 1.0
    if n <= EXACT_UP_TO:
        tail = sum(comb(n, i) for i in range(min(wins, losses) + 1))
        return float(min(1.0, 2 * tail / 2**n))
    # With continuity correction; erfc of z / sqrt(2) is the two-sided tail.
    z = (abs(wins - losses) - 1) / sqrt(n)
    return float(min(1.0, erfc(max(z, 0.0) / sqrt(2))))
