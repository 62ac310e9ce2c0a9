"""How methods are compared: on held-out users, by ranking the whole catalogue, with intervals and paired tests.

Held-out users took no part in training. Half of each one's ratings, drawn at random, is folded in: it is all that a
method learns of the user. The other half is what a good list contains. Every item that the user has not folded in is a
candidate; nothing is sampled. Source: the paper's section "Using half of the ratings".
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.offline.metrics import Csr, Ints, PerUser, evaluate, hits
from evaluation.offline.statistics import Interval, bootstrap_interval, holm, paired_bootstrap, permutation_p_value

Lists = NDArray[np.int64]

DEFAULT_KS = (10, 100)


class Histories(NamedTuple):
    """Ratings of many users as CSR rows: user u rated `items[indptr[u]:indptr[u + 1]]`, `ratings` beside them."""

    indptr: Ints  # [n_users + 1]
    items: Ints  # [n_ratings]
    ratings: NDArray[Any]  # [n_ratings], 1-10

    @property
    def n_users(self) -> int:
        return len(self.indptr) - 1

    @property
    def rated(self) -> Csr:
        """Which items each user rated."""
        return self.indptr, self.items


class Trial(NamedTuple):
    """What methods are given of each held-out user, and what their lists are compared with."""

    fold_in: Histories
    held_out: Histories


@dataclass(frozen=True)
class Method:
    """A way to rank the catalogue for users of whom some ratings are known.

    Attributes:
        key: short name, as in the API.
        title: what tables show.
        definition: what it does, in one sentence.
        rank: (fold-in histories, k) -> lists `[n_users, k]` of item indices without those folded in, padded with -1.
    """

    key: str
    title: str
    definition: str
    rank: Callable[[Histories, int], Lists]


@dataclass(frozen=True)
class Result:
    """What one method did in a trial.

    Attributes:
        lists: `[n_users, max k]`.
        per_user: accuracy of each user's list, by metric name; see `metrics.evaluate`.
        seconds: for all lists together.
    """

    method: Method
    lists: Lists
    per_user: dict[str, PerUser]
    seconds: float


class Difference(NamedTuple):
    """One method against the baseline: mean of (method - baseline) over users, its interval, and how sure that is.

    `p_value` is that of the paired permutation test, adjusted for all the comparisons of the table (Holm).
    """

    key: str
    difference: float
    low: float
    high: float
    p_value: float


def split_in_half(histories: Histories, *, seed: int) -> Trial:
    """Draw half of each user's ratings, rounded down, to fold in; the rest is held out.

    Raises:
        ValueError: a user with less than two ratings, of whom one half would be empty.
    """
    lengths = np.diff(histories.indptr)
    if len(lengths) and lengths.min() < 2:
        raise ValueError(f"user {lengths.argmin()} has less than two ratings; leave such users out before splitting")
    users = np.repeat(np.arange(histories.n_users), lengths)
    # Shuffled within each user, the users staying in their order.
    order = np.lexsort((np.random.default_rng(seed).random(len(users)), users))
    place = np.arange(len(users)) - np.repeat(histories.indptr[:-1], lengths)
    first_half = place < np.repeat(lengths // 2, lengths)
    return Trial(_taken(histories, order, first_half, users), _taken(histories, order, ~first_half, users))


def run(
    methods: Iterable[Method],
    trial: Trial,
    *,
    ks: Sequence[int] = DEFAULT_KS,
    on_done: Callable[[Result], None] | None = None,
) -> list[Result]:
    """Let every method rank the catalogue for the trial's users, and measure its lists.

    Raises:
        ValueError: a list that shows what was folded in.
    """
    results = []
    for method in methods:
        start = time.perf_counter()
        lists = method.rank(trial.fold_in, max(ks))
        seconds = time.perf_counter() - start
        if hits(lists, trial.fold_in.rated).any():
            raise ValueError(f"method {method.key!r} recommends what the user has already rated")
        result = Result(method, lists, evaluate(lists, trial.held_out.rated, ks), seconds)
        results.append(result)
        if on_done:
            on_done(result)
    return results


def intervals(result: Result, metrics: Sequence[str], *, seed: int) -> dict[str, Interval]:
    """Mean and 95 % interval over users of each metric. One seed draws the same users for every method and metric."""
    return {name: bootstrap_interval(result.per_user[name], seed=seed) for name in metrics}


def differences(results: Sequence[Result], baseline: str, metric: str, *, seed: int) -> list[Difference]:
    """Every other method against the one of key `baseline`, on the same users.

    Raises:
        ValueError: no method of that key.
    """
    keys = [result.method.key for result in results]
    if baseline not in keys:
        raise ValueError(f"no method {baseline!r} among {', '.join(keys)}")
    base = results[keys.index(baseline)].per_user[metric]
    others = [result for result in results if result.method.key != baseline]
    p_values = holm([permutation_p_value(other.per_user[metric], base, seed=seed) for other in others])
    compared = [paired_bootstrap(other.per_user[metric], base, seed=seed) for other in others]
    return [
        Difference(other.method.key, found.difference, found.low, found.high, float(p_value))
        for other, found, p_value in zip(others, compared, p_values, strict=True)
    ]


def _taken(histories: Histories, order: Ints, chosen: NDArray[np.bool_], users: Ints) -> Histories:
    """The chosen places of the shuffled histories; each user's items in ascending order."""
    kept = order[chosen]
    kept = kept[np.lexsort((histories.items[kept], users[kept]))]
    counts = np.bincount(users[kept], minlength=histories.n_users)
    return Histories(np.append(0, counts.cumsum()), histories.items[kept], histories.ratings[kept])
