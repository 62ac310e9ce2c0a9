import numpy as np
import pytest

from evaluation.offline.protocol import Histories, Method, Result, differences, intervals, run, split_in_half
from evaluation.paper.methods import by_score
from recommender.engine.retrieval import top_k

N_ITEMS = 60


@pytest.fixture
def histories():
    """200 users who rated 2 to 30 of 60 items, the first items far more often than the last."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, N_ITEMS + 1)
    rows = [rng.choice(N_ITEMS, n, replace=False, p=weights / weights.sum()) for n in rng.integers(2, 31, 200)]
    lengths = [len(row) for row in rows]
    return Histories(np.append(0, np.cumsum(lengths)), np.concatenate(rows), rng.integers(1, 11, sum(lengths)))


def rows(histories):
    return [
        dict(zip(histories.items[a:b].tolist(), histories.ratings[a:b].tolist(), strict=True))
        for a, b in zip(histories.indptr[:-1], histories.indptr[1:], strict=True)
    ]


@pytest.fixture
def methods():
    best_first = np.arange(N_ITEMS, 0, -1.0)
    return [
        by_score("best", "Best", "The right order.", best_first),
        by_score("noise", "Noise", "A random order.", np.random.default_rng(1).random(N_ITEMS)),
        by_score("worst", "Worst", "The wrong order.", -best_first),
    ]


def test_the_halves_are_the_whole_and_the_smaller_one_is_folded_in(histories):
    trial = split_in_half(histories, seed=3)
    for whole, fold_in, held_out in zip(rows(histories), rows(trial.fold_in), rows(trial.held_out), strict=True):
        assert fold_in | held_out == whole
        assert not fold_in.keys() & held_out.keys()
        assert len(fold_in) == len(whole) // 2


def test_the_split_follows_its_seed(histories):
    first, again, other = (rows(split_in_half(histories, seed=seed).fold_in) for seed in (3, 3, 4))
    assert first == again != other


def test_the_split_is_a_fair_draw(histories):
    """Over many seeds every rating is folded in about as often as the halves' sizes say."""
    times = np.zeros(len(histories.items))
    for seed in range(300):
        fold_in = split_in_half(histories, seed=seed).fold_in
        chosen = {(u, i) for u, row in enumerate(rows(fold_in)) for i in row}
        users = np.repeat(np.arange(200), np.diff(histories.indptr))
        times += [(u, i) in chosen for u, i in zip(users.tolist(), histories.items.tolist(), strict=True)]
    lengths = np.diff(histories.indptr)
    expected = np.repeat(lengths // 2 / lengths, lengths)
    assert np.abs(times / 300 - expected).max() < 0.15


def test_a_user_who_cannot_be_split_is_named():
    with pytest.raises(ValueError, match="user 1 has less than two"):
        split_in_half(Histories(np.array([0, 2, 3]), np.array([0, 1, 2]), np.array([5, 5, 5])), seed=0)


def test_methods_rank_the_whole_unrated_catalogue(histories, methods):
    trial = split_in_half(histories, seed=0)
    results = run(methods, trial, ks=[10, N_ITEMS])
    for result in results:
        for row, folded_in in zip(result.lists, rows(trial.fold_in), strict=True):
            shown = row[row >= 0].tolist()
            assert sorted(shown) == sorted(set(range(N_ITEMS)) - folded_in.keys())
        # All that is held out is found when the list is the whole catalogue.
        np.testing.assert_allclose(result.per_user[f"recall@{N_ITEMS}"], 1)
    best, noise, worst = (result.per_user["ndcg@10"].mean() for result in results)
    assert best > noise > worst


def test_a_method_that_shows_what_was_folded_in_is_refused(histories):
    def rank(fold_in, k):
        return top_k(np.random.default_rng(0).random((fold_in.n_users, N_ITEMS)), k)[0]

    with pytest.raises(ValueError, match="'leaky' recommends what the user has already rated"):
        run([Method("leaky", "Leaky", "Forgets to leave out.", rank)], split_in_half(histories, seed=0))


def test_intervals_and_differences(histories, methods):
    done: list[Result] = []
    results = run(methods, split_in_half(histories, seed=0), on_done=done.append)
    assert done == results
    found = intervals(results[0], ["map@10", "ndcg@100"], seed=0)
    assert found["map@10"].low < results[0].per_user["map@10"].mean() < found["map@10"].high
    compared = differences(results, "noise", "ndcg@10", seed=0)
    assert [(one.key, one.difference > 0) for one in compared] == [("best", True), ("worst", False)]
    for one in compared:
        assert one.p_value < 0.05
        assert one.low < one.difference < one.high
    assert compared == differences(results, "noise", "ndcg@10", seed=0)


def test_an_unknown_baseline_is_named(histories, methods):
    results = run(methods, split_in_half(histories, seed=0))
    with pytest.raises(ValueError, match="no method 'ease' among best, noise, worst"):
        differences(results, "ease", "ndcg@10", seed=0)
