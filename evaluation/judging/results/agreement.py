"""How far two raters agree on the same things, with intervals: weighted kappa and Spearman correlation, by numpy alone.

Scores of one person's anime hang together, so that people are what is drawn, as in `evaluation.offline.statistics`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.offline.statistics import Interval

Values = NDArray[np.float64]

N_RESAMPLES = 1000


def quadratic_kappa(a: ArrayLike, b: ArrayLike) -> float:
    """Cohen's kappa of two raters with quadratic weights (Cohen 1968), for whole scores from 1 to 10 `[n]`.

    1 is perfect agreement, 0 what chance gives; nan where neither rater tells anything apart and both say the same.
    """
    first, second = _paired(a, b)
    difference = first - second
    # The mean of (x - y)^2 over all x of one and y of the other, which is what chance gives.
    by_chance = first.var() + second.var() + (first.mean() - second.mean()) ** 2
    return float(1 - (difference**2).mean() / by_chance) if by_chance > 0 else float("nan")


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank `[n]`; nan where one rater never varies."""
    first, second = (_ranks(values) for values in _paired(a, b))
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 0 else float("nan")


def interval(
    statistic: Callable[[Values, Values], float],
    a: ArrayLike,
    b: ArrayLike,
    *,
    people: ArrayLike,
    seed: int = 0,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
) -> Interval | None:
    """A statistic of paired scores with its percentile bootstrap interval, drawing whole people `[n]`.

    None where it is not defined, where there are fewer than two people, or where most draws leave it undefined.

    Raises:
        ValueError: the lengths differ.
    """
    if not np.size(a):
        return None
    first, second = _paired(a, b)
    _, person = np.unique(np.asarray(people), return_inverse=True)
    if len(person) != len(first):
        raise ValueError(f"one person for each score is needed, got {len(person)} for {len(first)}")
    n_people = int(person.max()) + 1
    value = statistic(first, second)
    if n_people < 2 or not np.isfinite(value):
        return None
    rng = np.random.default_rng(seed)
    places = np.arange(len(first))
    draws = np.empty(n_resamples)
    for number in range(n_resamples):
        times = np.bincount(rng.integers(0, n_people, n_people), minlength=n_people)
        drawn = np.repeat(places, times[person])
        draws[number] = statistic(first[drawn], second[drawn])
    draws = draws[np.isfinite(draws)]
    if len(draws) * 2 < n_resamples:
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def _ranks(values: Values) -> Values:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Values = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[Values, Values]:
    first: NDArray[Any] = np.asarray(a, dtype=np.float64)
    second: NDArray[Any] = np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(f"two scores of each thing are needed, got shapes {first.shape} and {second.shape}")
    return first, second
