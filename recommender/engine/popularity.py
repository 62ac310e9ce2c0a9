"""Lists for users of whom nothing is known: counts, and mean scores weighed by how many gave them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

#: Of the Bayesian average by default: prior scores in mean numbers of votes, and the quantile of scores that they are.
PRIOR_STRENGTH = 100.0
PRIOR_QUANTILE = 0.1


def interaction_counts(items: NDArray[np.integer[Any]], n_items: int) -> Vector:
    """How often each item was rated in the training data `[n_items]`, as a score to rank by."""
    return np.bincount(items, minlength=n_items).astype(np.float64)


def paper_weighted_score(rating: NDArray[Any], members: NDArray[Any], *, quantile: float = 0.25) -> Vector:
    """The paper's weighted score `[n_items]` (section "Cold start"), with its inconsistency kept.

    WR = v / (v + m) * R + m / (v + m) * C is IMDb's formula for v votes with mean R, prior mean C and prior
    weight m in votes. The paper puts in v = the member count scaled to 0-10, but m = a quantile of the
    *unscaled* member counts. As m is then far larger than any v, WR stays near C for every item and the order
    is that of v * (R - C): members times how far the rating lies above the mean. Use `bayesian_average` for
    what the formula means to do.

    Args:
        rating: mean rating of each item `[n_items]`, 0-10; NaN where unknown.
        members: community members of each item `[n_items]`.
        quantile: of `members`, giving m; the paper has 0.25.

    The mean, the quantile and the scaling are taken over the items passed in: the paper passes the nearest
    cluster alone when it ranks within one. NaN where the rating is unknown, so that such items rank last.
    """
    ratings, counts = np.asarray(rating, dtype=np.float64), np.asarray(members, dtype=np.float64)
    if not len(ratings):
        return np.empty(0)
    smallest, largest = counts.min(), counts.max()
    # Equal counts would divide by zero; all items are then alike in v, and any constant orders by rating.
    votes = (counts - smallest) / (largest - smallest) * 10 if largest > smallest else np.ones_like(counts)
    prior_weight = np.quantile(counts, quantile)
    prior_mean = np.nanmean(ratings) if not np.isnan(ratings).all() else np.nan
    weight = votes + prior_weight
    share = np.divide(votes, weight, out=np.zeros_like(votes), where=weight > 0)
    scores: Vector = share * ratings + (1 - share) * prior_mean
    return scores


def bayesian_average(
    score: NDArray[Any], count: NDArray[Any], prior_count: float | None = None, prior_score: float | None = None
) -> Vector:
    """Mean score of each item `[n_items]`, drawn towards a prior score the less, the more people gave it.

    (count * score + prior_count * prior_score) / (count + prior_count), in one unit: people.

    Args:
        score: mean score of each item; NaN where unknown, which counts as given by nobody.
        count: how many gave it, or a stand-in such as the number of community members.
        prior_count: how many prior scores every item starts with; by default `PRIOR_STRENGTH` times the mean of
            `count`. Much, because this ranks what people will watch next, and that is decided by how many know it
            more than by how well they like it.
        prior_score: what these are; by default the score that `PRIOR_QUANTILE` of the items fall short of, so that an
            item has to earn its place.

    The defaults were chosen on training users by `benchmarks/cold_start.py`. An item of unknown score gets the prior.
    """
    means = np.asarray(score, dtype=np.float64)
    known = ~np.isnan(means)
    counts = np.where(known, np.asarray(count, dtype=np.float64), 0)
    if not counts.sum() > 0:
        return np.full(len(means), np.nan)
    prior = float(np.quantile(means[counts > 0], PRIOR_QUANTILE)) if prior_score is None else prior_score
    weight = PRIOR_STRENGTH * counts[known].mean() if prior_count is None else prior_count
    total = counts + weight
    averages: Vector = np.full(len(means), float(prior))
    np.divide(counts * np.where(known, means, 0) + weight * prior, total, out=averages, where=total > 0)
    return averages
