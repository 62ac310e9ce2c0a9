"""Our vectorised metrics against the same metrics in a loop over users: `python -m benchmarks.metrics`.

10,000 users, lists of 100 out of 12,000 items, six metrics at k = 10 and 100. Both are timed in turn in one process, so
that a busy machine slows both alike; the figure is the ratio of their times.
"""

import argparse
import math
import statistics
import time
from itertools import pairwise

import numpy as np

from benchmarks.results import write_result
from evaluation.offline import metrics

KS = (10, 100)


def per_user_loop(lists, relevant, ks):
    """The metrics as they are usually written: a function of one user's list and relevant set, called for each user."""
    functions = {
        "precision": precision,
        "recall": recall,
        "map": average_precision,
        "ndcg": ndcg,
        "mrr": reciprocal_rank,
        "hit_rate": hit_rate,
    }
    return {
        f"{name}@{k}": [function(ranked, wanted, k) for ranked, wanted in zip(lists, relevant, strict=True)]
        for k in ks
        for name, function in functions.items()
    }


def precision(ranked, wanted, k):
    return sum(item in wanted for item in ranked[:k]) / k


def recall(ranked, wanted, k):
    return sum(item in wanted for item in ranked[:k]) / len(wanted) if wanted else 0


def average_precision(ranked, wanted, k):
    hits, precisions = 0, 0.0
    for rank, item in enumerate(ranked[:k], start=1):
        if item in wanted:
            hits += 1
            precisions += hits / rank
    return precisions / min(k, len(wanted)) if wanted else 0


def ndcg(ranked, wanted, k):
    dcg = sum(1 / math.log2(rank + 1) for rank, item in enumerate(ranked[:k], start=1) if item in wanted)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(wanted)) + 1))
    return dcg / ideal if wanted else 0


def reciprocal_rank(ranked, wanted, k):
    return next((1 / rank for rank, item in enumerate(ranked[:k], start=1) if item in wanted), 0)


def hit_rate(ranked, wanted, k):
    return int(any(item in wanted for item in ranked[:k]))


def random_case(n_users, length, n_items, seed):
    """Ranked lists and relevant sets of up to 200 items, of which the lists hold some."""
    rng = np.random.default_rng(seed)
    pool = np.array([rng.choice(n_items, 4 * length, replace=False) for _ in range(n_users)])
    sizes = rng.integers(0, 200, n_users)
    indices = np.concatenate([rng.permutation(row)[:n] for row, n in zip(pool, sizes, strict=True)])
    return pool[:, :length], (np.append(0, sizes.cumsum()), indices)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()

    lists, (indptr, indices) = random_case(arguments.users, 100, 12_000, seed=0)
    as_lists = lists.tolist()
    as_sets = [set(indices[a:b].tolist()) for a, b in pairwise(indptr)]
    ours = metrics.evaluate(lists, (indptr, indices), KS)
    for name, values in per_user_loop(as_lists, as_sets, KS).items():
        np.testing.assert_allclose(ours[name], values, atol=1e-9)

    seconds: dict[str, list[float]] = {"ours": [], "loop": []}
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        metrics.evaluate(lists, (indptr, indices), KS)
        between = time.perf_counter()
        per_user_loop(as_lists, as_sets, KS)
        seconds["ours"].append(between - start)
        seconds["loop"].append(time.perf_counter() - between)
    ratios = [loop / our for loop, our in zip(seconds["loop"], seconds["ours"], strict=True)]
    write_result(
        "metrics",
        command=f"python -m benchmarks.metrics --users {arguments.users} --repeats {arguments.repeats}",
        data=f"generated, seed 0: {arguments.users} users, lists of 100 out of 12,000 items, k = 10 and 100",
        figures=[
            {"name": "vectorised", "value": statistics.median(seconds["ours"]) * 1000, "unit": "ms"},
            {"name": "per-user loop", "value": statistics.median(seconds["loop"]) * 1000, "unit": "ms"},
            {
                "name": "per-user loop / vectorised",
                "ratio": statistics.median(ratios),
                "spread": [min(ratios), max(ratios)],
                "unit": "times faster",
            },
        ],
    )


if __name__ == "__main__":
    main()
