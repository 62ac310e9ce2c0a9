import numpy as np
import pandas as pd
import pytest

from recommender.engine.popularity import bayesian_average, interaction_counts, paper_weighted_score
from recommender.engine.retrieval import top_k

RATING = np.array([9.2, 8.0, 7.1, np.nan, 10.0, 6.0])
MEMBERS = np.array([800_000, 1_000_000, 500, 900, 3, 40_000])


def papers_loop(rating, members, quantile):
    """The published steps, row by row over a data frame."""
    frame = pd.DataFrame({"rating": rating, "members": members})
    constant, mean = frame["members"].quantile(quantile), frame["rating"].mean()
    low, high = frame["members"].min(), frame["members"].max()
    scores = []
    for row in frame.itertuples():
        votes = (row.members - low) / (high - low) * 10
        scores.append(votes / (votes + constant) * row.rating + constant / (votes + constant) * mean)
    return np.array(scores)


@pytest.mark.parametrize("quantile", [0.1, 0.25, 0.9])
def test_paper_weighted_score_equals_the_published_steps(quantile):
    scores = paper_weighted_score(RATING, MEMBERS, quantile=quantile)
    np.testing.assert_allclose(scores, papers_loop(RATING, MEMBERS, quantile), rtol=1e-12)
    assert np.isnan(scores[3])


def test_the_papers_scales_do_not_fit_so_that_its_order_is_nearly_that_of_members():
    rng = np.random.default_rng(0)
    members, rating = rng.integers(5_000, 1_000_000, 300), rng.uniform(7, 9, 300)
    scores = paper_weighted_score(rating, members)
    assert scores.max() - scores.min() < 0.01  # every item near the mean: the prior outweighs all votes
    meant = bayesian_average(rating, members, float(np.quantile(members, 0.25)), rating.mean())  # all in people
    assert scores.argmax() != meant.argmax()


def test_paper_weighted_score_of_equal_members_keeps_the_order_of_ratings():
    scores = paper_weighted_score(np.array([7.0, 9.0, 8.0]), np.array([50, 50, 50]))
    assert scores.argsort().tolist() == [0, 2, 1]


def test_paper_weighted_score_of_no_members_at_all_is_the_mean():
    np.testing.assert_allclose(paper_weighted_score(np.array([6.0, 8.0]), np.array([0, 0]))[0], 6.0, atol=1)
    assert paper_weighted_score(np.empty(0), np.empty(0)).shape == (0,)
    assert np.isnan(paper_weighted_score(np.array([np.nan]), np.array([4]))).all()


def test_bayesian_average_by_hand():
    scores, counts = np.array([10.0, 5.0]), np.array([2, 8])
    np.testing.assert_allclose(
        bayesian_average(scores, counts, prior_count=2, prior_score=6), [(2 * 10 + 2 * 6) / 4, (8 * 5 + 2 * 6) / 10]
    )
    # By default a hundred times the mean of 5 votes, each the score that a tenth fall short of: 5 + 0.1 * 5.
    np.testing.assert_allclose(
        bayesian_average(scores, counts), [(2 * 10 + 500 * 5.5) / 502, (8 * 5 + 500 * 5.5) / 508]
    )


def test_bayesian_average_trusts_many_more_than_few():
    averages = bayesian_average(RATING, MEMBERS)
    items, _ = top_k(averages[None], 6)
    assert items[0, 0] == 0  # 9.2 from 800,000 beats 10 from three people and 8.0 from a million
    known = ~np.isnan(RATING) & (MEMBERS > 0)
    prior = np.quantile(RATING[known], 0.1)
    np.testing.assert_allclose(averages[4], prior, atol=0.001)
    assert averages[3] == pytest.approx(prior)


def test_bayesian_average_without_prior_is_the_score_and_with_an_endless_one_the_mean():
    known = ~np.isnan(RATING)
    without_prior = bayesian_average(RATING, MEMBERS, 0)
    np.testing.assert_allclose(without_prior[known], RATING[known])
    assert np.isfinite(without_prior).all()
    assert np.ptp(bayesian_average(RATING, MEMBERS, 1e15)) < 1e-6


def test_bayesian_average_of_nothing_known_is_unknown():
    assert np.isnan(bayesian_average(np.array([np.nan, np.nan]), np.array([5, 6]))).all()


def test_interaction_counts():
    assert interaction_counts(np.array([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]
