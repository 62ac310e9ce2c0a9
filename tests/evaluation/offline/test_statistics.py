import numpy as np
import pytest

from evaluation.offline import statistics
from evaluation.offline.statistics import bootstrap_interval, holm, paired_bootstrap, permutation_p_value


@pytest.fixture
def two_methods():
    """Users differ much, the methods little: b is 0.02 above a for the average user."""
    rng = np.random.default_rng(0)
    users = rng.beta(2, 5, 400)
    return users + rng.normal(0, 0.05, 400), users + 0.02 + rng.normal(0, 0.05, 400)


def test_interval_agrees_with_the_normal_one(two_methods):
    values = two_methods[0]
    interval = bootstrap_interval(values, seed=1)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(200):
        low, high = bootstrap_interval(rng.exponential(1, 80), seed=trial, n_resamples=400)[1:]
        covered += low <= 1 <= high
    assert 0.87 <= covered / 200 <= 0.99


def test_seed_decides_all_and_blocks_nothing(two_methods, monkeypatch):
    a, b = two_methods

    def all_three(seed):
        return [
            bootstrap_interval(a, seed=seed),
            paired_bootstrap(a, b, seed=seed),
            permutation_p_value(a, b, seed=seed),
        ]

    first = all_three(5)
    assert all_three(6) != first
    monkeypatch.setattr(statistics, "BLOCK_DRAWS", 10_000)
    assert all_three(5) == first


def test_pairing_finds_what_unpaired_intervals_hide(two_methods):
    a, b = two_methods
    assert bootstrap_interval(a, seed=1).high > bootstrap_interval(b, seed=1).low
    comparison = paired_bootstrap(b, a, seed=1)
    assert comparison.difference == pytest.approx((b - a).mean())
    assert 0 < comparison.low < comparison.difference < comparison.high
    assert comparison.p_value < 0.01
    assert permutation_p_value(b, a, seed=1) < 0.01


def test_no_difference_is_not_significant():
    rng = np.random.default_rng(8)
    a, b = rng.random(300), rng.random(300)
    assert paired_bootstrap(a, b, seed=0).p_value > 0.05
    assert permutation_p_value(a, b, seed=0) > 0.05
    assert paired_bootstrap(a, a, seed=0).p_value == 1
    assert permutation_p_value(a, a, seed=0) == 1


def test_permutation_p_value_equals_the_exact_one_of_few_users():
    difference = np.array([0.3, 0.1, 0.4, -0.05, 0.2, 0.25])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    exact = (np.abs(signs @ difference) >= abs(difference.sum()) - 1e-12).mean()
    assert permutation_p_value(difference, np.zeros(6), seed=0, n_resamples=50_000) == pytest.approx(exact, abs=0.005)


def test_false_alarms_are_as_rare_as_the_level_says():
    rng = np.random.default_rng(11)
    p_values = [
        permutation_p_value(rng.normal(size=40), rng.normal(size=40), seed=trial, n_resamples=300)
        for trial in range(200)
    ]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.1


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1, 1])
    assert holm([]).shape == (0,)


@pytest.mark.parametrize(
    ("values", "message"), [([], "one value per user"), ([[1.0]], "shape"), ([1.0, np.nan], "not finite")]
)
def test_bad_values_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, seed=0)


def test_pairs_must_be_of_the_same_users():
    with pytest.raises(ValueError, match="3 and 2"):
        paired_bootstrap([1, 2, 3], [1, 2], seed=0)
