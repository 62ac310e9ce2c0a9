"""Whether a judge tells good from random, whom it prefers, and how far it keeps to what it said."""

import numpy as np
import pytest

from evaluation.judging.models import Contestant, Experiment
from evaluation.judging.results import effect
from evaluation.judging.results.effect import ListScore
from tests.evaluation.judging import answers as rows

pytestmark = pytest.mark.django_db


def lists(experiment: Experiment, model: list[int], random: list[int]) -> tuple[Contestant, Contestant]:
    ours, control = rows.contestant(experiment, "run"), rows.contestant(experiment, "random")
    for high, low in zip(model, random, strict=True):
        person = rows.subject(experiment)
        rows.scored(ours, person, high)
        rows.scored(control, person, low)
    return ours, control


def found(experiment: Experiment) -> list[effect.Effect]:
    kinds = dict(experiment.contestants.values_list("pk", "kind"))
    return effect.effects(effect.list_scores(experiment), kinds, seed=0)


def test_effects_of_a_case_worked_by_hand() -> None:
    experiment = rows.experiment()
    ours, _ = lists(experiment, [8, 6, 7, 5], [5, 5, 4, 6])
    (one,) = found(experiment)
    # Differences 3, 1, 3, -1: mean 1.5, sample variance (2.25 + .25 + 2.25 + 6.25) / 3; three above, one below.
    assert one.contestant == ours.pk
    assert one.n_people == 4
    assert one.difference.difference == 1.5
    assert one.cohens_d == pytest.approx(1.5 / (11 / 3) ** 0.5)
    assert one.cliffs_delta.mean == 0.5


def test_a_judge_that_tells_models_from_random_is_informative() -> None:
    experiment = rows.experiment()
    lists(experiment, [8, 9, 7, 8, 6, 7, 9, 8], [3, 4, 5, 2, 6, 3, 4, 2])
    assert effect.is_informative(experiment)


@pytest.mark.parametrize(
    ("model", "random"),
    [
        ([5, 3, 8, 2, 9, 4, 6, 7], [6, 4, 2, 8, 3, 9, 7, 5]),
        ([3] * 8, [8] * 8),
        ([5] * 8, [5] * 8),
        ([9] * 5, [1] * 5),
    ],
    ids=["chance", "worse than random", "all the same", "too few people"],
)
def test_an_experiment_whose_controls_do_not_separate_is_not_informative(model: list[int], random: list[int]) -> None:
    experiment = rows.experiment()
    lists(experiment, model, random)
    assert not effect.is_informative(experiment)


def test_without_a_random_control_nothing_is_informative() -> None:
    experiment = rows.experiment()
    ours = rows.contestant(experiment, "run")
    for _ in range(10):
        rows.scored(ours, rows.subject(experiment), 9)
    assert not effect.is_informative(experiment)
    assert found(experiment) == []


def test_people_without_a_score_of_both_are_left_out_and_repeats_are_averaged() -> None:
    experiment = rows.experiment()
    ours, control = lists(experiment, [8, 6], [5, 5])
    lonely = rows.subject(experiment)
    rows.scored(ours, lonely, 10)
    for row in control.judgements.all():
        rows.scored(control, row.subject, 7, repeat=1)
    (one,) = found(experiment)
    assert one.n_people == 2
    assert one.difference.difference == 1.0


def test_only_a_preference_that_holds_in_both_orders_is_a_win() -> None:
    experiment = rows.experiment()
    a, b = rows.contestant(experiment), rows.contestant(experiment)
    for forth, back in [("first", "second"), ("first", "first"), ("second", "first"), ("tie", "tie"), ("tie", "first")]:
        person = rows.subject(experiment)
        rows.preferred(a, b, person, forth)
        rows.preferred(b, a, person, back)
    rows.preferred(a, b, rows.subject(experiment), "first")
    (rate,) = effect.win_rates(effect.preferences(experiment), seed=0)
    assert (rate.first, rate.second) == (a.pk, b.pk)
    assert (rate.n_pairs, rate.wins, rate.losses) == (5, 1, 1)
    assert rate.turned == pytest.approx(2 / 5)
    assert rate.rate.mean == pytest.approx((1 + 0.5 + 0 + 0.5 + 0.5) / 5)


def test_self_consistency_over_repeats() -> None:
    experiment = rows.experiment()
    ours = rows.contestant(experiment)
    for first, second in [(8, 8), (3, 5), (6, 6), (9, 9)]:
        person = rows.subject(experiment)
        rows.scored(ours, person, first)
        rows.scored(ours, person, second, repeat=1)
    measured = effect.self_consistency(effect.list_scores(experiment), seed=0)
    assert measured is not None
    assert measured.n_lists == 4
    assert measured.spread == pytest.approx(2**0.5 / 4)
    assert measured.agreement is not None
    assert measured.agreement.mean == pytest.approx(1)
    assert effect.self_consistency([], seed=0) is None


def test_the_score_of_lists_is_correlated_with_their_ndcg() -> None:
    experiment = rows.small()
    measured = effect.correlation_with_ndcg(effect.list_scores(experiment), seed=0)
    assert measured is not None
    assert measured.mean > 0.8
    assert effect.correlation_with_ndcg([], seed=0) is None


def share_informative(n_people: int, points_more: float) -> float:
    """Of 200 experiments whose scores scatter by 1.5 points about 6, and about so much more for a model."""
    kinds = {1: "run", 2: "popularity", 3: "random"}
    found = []
    for seed in range(200):
        scattered = np.random.default_rng(seed).normal(6, 1.5, (3, n_people)) + np.array([[points_more], [0], [0]])
        overall = np.clip(np.rint(scattered), 1, 10).astype(int)
        scores = [
            ListScore(contestant, person, 0, int(overall[contestant - 1, person]), None)
            for contestant in kinds
            for person in range(n_people)
        ]
        found.append(effect.separates(effect.effects(scores, kinds, seed=seed)))
    return sum(found) / len(found)


def test_a_judge_that_answers_by_chance_is_seldom_taken_for_informative() -> None:
    assert share_informative(10, 0) < 0.07
    assert share_informative(50, 0) < 0.04


def test_how_often_a_difference_of_one_point_is_seen() -> None:
    few, many = share_informative(20, 1), share_informative(50, 1)
    assert 0.2 < few < 0.4
    assert 0.6 < many < 0.8
