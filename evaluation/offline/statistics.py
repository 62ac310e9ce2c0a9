"""How sure a mean over users is, and whether two methods differ: seeded resampling, vectorised, in numpy
alone.

Users are what is drawn, not lists or hits: they are what the held-out sample was drawn from. Methods are
compared pairwise on the same users, as most of the spread lies between users and not between methods.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

N_RESAMPLES = 2000
#: Draws held at once: users x resamples (32 MB of float64).
BLOCK_DRAWS = 4_000_000


class Interval(NamedTuple):
    """A mean and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Mean of a - b over users, the bounds of its confidence interval, and the two-sided p-value of no
    difference."""

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_interval(
    values: ArrayLike, *, seed: int, confidence: float = 0.95, n_resamples: int = N_RESAMPLES
) -> Interval:
    """Percentile bootstrap interval of the mean of one value per user `[n_users]`.

    Raises:
        ValueError: no value, or one that is not finite.
    """
    per_user = _checked(values)
    low, high = _bounds(_resampled_means(per_user, seed, n_resamples), confidence)
    return Interval(float(per_user.mean()), low, high)


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, seed: int, confidence: float = 0.95, n_resamples: int = N_RESAMPLES
) -> Comparison:
    """Interval of the mean difference of two methods on the same users, and how often resampling turns its
    sign.

    The p-value is twice the share of resampled means on the other side of 0, at least 2 / (n_resamples + 1).
    """
    difference = _differences(a, b)
    means = _resampled_means(difference, seed, n_resamples)
    low, high = _bounds(means, confidence)
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p_value = min(1.0, 2 * (beyond + 1) / (n_resamples + 1))
    return Comparison(float(difference.mean()), low, high, p_value)


def permutation_p_value(a: ArrayLike, b: ArrayLike, *, seed: int, n_resamples: int = 10_000) -> float:
    """Two-sided p-value of the paired permutation test: how often swapping the methods for random users does
    as much.

    Exact in the sense that the observed assignment counts as one of the permutations, so that it is never 0.
    """
    difference = _differences(a, b)
    observed = abs(difference.mean())
    rng = np.random.default_rng(seed)
    at_least = 0
    for size in _block_sizes(n_resamples, len(difference)):
        signs = rng.integers(0, 2, (size, len(difference)), dtype=np.int8) * 2.0 - 1
        # Rounding must not decide a tie with the observed mean.
        at_least += int((np.abs(signs @ difference / len(difference)) >= observed * (1 - 1e-12)).sum())
    return (at_least + 1) / (n_resamples + 1)


def holm(p_values: ArrayLike) -> Values:
    """P-values adjusted for having made all these comparisons at once (Holm's step-down method)."""
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty_like(raw)
    steps = raw[order] * np.arange(len(raw), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(raw) else steps
    return adjusted


def _resampled_means(values: Values, seed: int, n_resamples: int) -> Values:
    """Means of `n_resamples` samples of as many users, drawn with replacement."""
    rng = np.random.default_rng(seed)
    n = len(values)
    return np.concatenate([values[rng.integers(0, n, (size, n))].mean(axis=1) for size in _block_sizes(n_resamples, n)])


def _block_sizes(n_resamples: int, n_users: int) -> list[int]:
    step = max(1, BLOCK_DRAWS // n_users)
    return [min(step, n_resamples - start) for start in range(0, n_resamples, step)]


def _bounds(means: Values, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _differences(a: ArrayLike, b: ArrayLike) -> Values:
    first, second = _checked(a), _checked(b)
    if len(first) != len(second):
        raise ValueError(f"paired values of the same users are needed, got {len(first)} and {len(second)}")
    return first - second


def _checked(values: ArrayLike) -> Values:
    per_user: NDArray[Any] = np.asarray(values, dtype=np.float64)
    if per_user.ndim != 1 or not len(per_user):
        raise ValueError(f"one value per user is needed, got shape {per_user.shape}")
    if not np.isfinite(per_user).all():
        raise ValueError("a value is not finite; leave such users out of all methods alike")
    return per_user
