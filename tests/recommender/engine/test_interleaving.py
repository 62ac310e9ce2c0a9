"""Team-draft interleaving and the sign test, on lists and numbers that can be checked by hand."""

import numpy as np
import pytest

from recommender.engine.interleaving import EXACT_UP_TO, sign_test, team_draft


def test_each_round_takes_the_best_left_of_both() -> None:
    items, teams = team_draft([1, 2, 3, 4], [5, 6, 7, 8], 4, np.random.default_rng(0))
    assert {items[0], items[1]} == {1, 5}
    assert {items[2], items[3]} == {2, 6}
    assert [teams[items.index(i)] for i in (1, 2, 5, 6)] == [0, 0, 1, 1]


def test_no_item_comes_twice_and_a_short_ranking_ends() -> None:
    for seed in range(20):
        items, teams = team_draft([1, 2, 3], [2, 1, 9, 8], 10, np.random.default_rng(seed))
        assert sorted(items) == [1, 2, 3, 8, 9]
        assert len(teams) == 5
    assert team_draft([], [], 3, np.random.default_rng(0)) == ((), ())
    assert team_draft([1], [], 3, np.random.default_rng(0)) == ((1,), (0,))


def test_neither_ranking_has_an_advantage_of_place() -> None:
    firsts = [team_draft([1, 2], [3, 4], 2, np.random.default_rng(seed))[1][0] for seed in range(1000)]
    assert 0.45 < np.mean(firsts) < 0.55


def test_a_longer_draft_begins_with_the_shorter() -> None:
    rankings = list(range(20)), list(range(10, 40))
    short = team_draft(*rankings, 7, np.random.default_rng(3))
    long = team_draft(*rankings, 30, np.random.default_rng(3))
    assert (long[0][:7], long[1][:7]) == short


@pytest.mark.parametrize(("wins", "losses", "p"), [(0, 0, 1), (5, 5, 1), (1, 0, 1), (8, 2, 0.109375), (10, 0, 2**-9)])
def test_the_sign_test_is_the_binomial_tail(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p)
    assert sign_test(losses, wins) == pytest.approx(p)


def test_many_judges_are_approximated_well() -> None:
    n = EXACT_UP_TO
    assert sign_test(n // 2 + 40, n // 2 - 40) == pytest.approx(sign_test(n // 2 + 41, n // 2 - 39), rel=0.2)
    assert sign_test(5000, 4000) < 1e-6
