"""Agreement against values worked by hand and against scipy and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from evaluation.judging.results.agreement import interval, quadratic_kappa, spearman


def test_kappa_of_a_case_worked_by_hand() -> None:
    # Squared differences 0, 1, 1 of 3: observed 2/3. Over all 9 pairs: 0+4+9 + 1+1+4 + 4+0+1 = 24, so 24/9 by chance.
    assert quadratic_kappa([1, 2, 3], [1, 3, 4]) == pytest.approx(1 - (2 / 3) / (24 / 9))


def test_spearman_with_ties_of_a_case_worked_by_hand() -> None:
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5.
    assert spearman([1, 5, 5, 9], [2, 3, 4, 5]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


@pytest.mark.parametrize("seed", range(5))
def test_both_are_what_others_compute(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(1, 11, 60)
    b = np.clip(a + rng.integers(-3, 4, 60), 1, 10)
    expected = cohen_kappa_score(a, b, weights="quadratic", labels=range(1, 11))
    assert quadratic_kappa(a, b) == pytest.approx(expected)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_raters_who_tell_nothing_apart_have_no_agreement() -> None:
    assert np.isnan(quadratic_kappa([5, 5], [5, 5]))
    assert np.isnan(spearman([5, 5, 5], [1, 2, 3]))
    assert interval(spearman, [5, 5, 5], [1, 2, 3], people=[1, 2, 3]) is None


def test_the_interval_holds_the_value_and_narrows_with_people() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(1, 11, 400)
    b = np.clip(a + rng.integers(-4, 5, 400), 1, 10)
    many = interval(quadratic_kappa, a, b, people=np.arange(400))
    few = interval(quadratic_kappa, a[:30], b[:30], people=np.arange(30))
    assert many is not None
    assert few is not None
    assert many.low < many.mean < many.high
    assert many.high - many.low < few.high - few.low


def test_scores_of_the_same_people_count_as_less_than_as_many_people() -> None:
    """Ten copies of each score are no more evidence when they come from one person."""
    rng = np.random.default_rng(1)
    a = np.repeat(rng.integers(1, 11, 20), 10)
    b = np.repeat(rng.integers(1, 11, 20), 10)
    by_person = interval(spearman, a, b, people=np.repeat(np.arange(20), 10))
    by_score = interval(spearman, a, b, people=np.arange(200))
    assert by_person is not None
    assert by_score is not None
    assert by_person.high - by_person.low > 2 * (by_score.high - by_score.low)


def test_one_person_gives_no_interval_and_wrong_lengths_are_refused() -> None:
    assert interval(spearman, [1, 2], [1, 2], people=[7, 7]) is None
    assert interval(spearman, [], [], people=[]) is None
    with pytest.raises(ValueError, match="two scores of each thing"):
        quadratic_kappa([1, 2], [1])
    with pytest.raises(ValueError, match="one person for each score"):
        interval(spearman, [1, 2], [1, 2], people=[7])
