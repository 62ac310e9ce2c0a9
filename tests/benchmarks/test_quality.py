import numpy as np
import pytest
from scipy import sparse

from benchmarks import quality
from benchmarks.peers import METHODS, Task
from recommender.engine.history.content import ItemContent
from recommender.engine.ratings import UNRATED, RatingMatrix

N_TASTES, PER_TASTE, N_USERS = 3, 12, 240


@pytest.fixture(scope="module")
def data():
    """Users who rate anime of one taste, watch one without rating it, and some who rated once."""
    rng = np.random.default_rng(4)
    rows = []
    for user in range(N_USERS):
        own = user % N_TASTES * PER_TASTE + rng.permutation(PER_TASTE)
        n = 1 if user % 40 == 39 else int(rng.integers(4, 11))
        rows += [(user, item, int(rng.integers(5, 11))) for item in own[:n]]
        rows.append((user, own[n], UNRATED))
    interactions = RatingMatrix.from_arrays(*np.array(rows).T)
    n_items = interactions.n_items
    content = ItemContent(interactions.item_ids, ("",) * n_items, ((),) * n_items, ("",) * n_items)
    return interactions, content


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(quality, "N_VALIDATION", 60)
    monkeypatch.setattr(quality, "N_HELD_OUT", 30)


def test_no_user_is_held_out_twice_and_none_is_trained_on_and_held_out(data):
    held_out = []
    for seed in (None, 0, 1, 2):
        task, _ = quality.split(*data, seed)
        held_out.append(set(data[0].user_ids) - set(task.interactions.user_ids))
        assert len(held_out[-1]) == (60 if seed is None else 30)
        assert task.ratings.shape[0] == 234 - len(held_out[-1])
    assert len(set.union(*held_out)) == sum(map(len, held_out))


def test_the_fold_in_and_what_is_relevant_are_the_halves_of_a_users_ratings(data):
    task, relevant = quality.split(*data, 0)
    n = 30
    folded, wanted = task.fold_in[:n], relevant[:n]
    assert not folded.multiply(wanted).nnz
    lengths = np.diff((folded + wanted).tocsr().indptr)
    np.testing.assert_array_equal(np.diff(folded.indptr), lengths // 2)
    few = task.fold_in[n:]
    np.testing.assert_array_equal(np.diff(few.indptr), np.minimum(lengths // 2, 3))
    assert (few - few.multiply(folded > 0)).nnz == 0
    assert set(np.unique((folded + wanted).data)) <= set(range(5, 11))


def test_too_many_seeds_are_refused(data):
    with pytest.raises(ValueError, match="seed 9 needs 360 users with two or more ratings, there are 234"):
        quality.split(*data, 9)


def test_measures_of_a_list_worked_by_hand(data):
    interactions, content = data
    training = sparse.csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 0, 1.0]], dtype=np.float32))
    fold_in = sparse.csr_matrix(np.array([[9, 0, 0, 0], [9, 0, 0, 0.0]], dtype=np.float32))
    relevant = sparse.csr_matrix(np.array([[0, 0, 9, 5], [0, 0, 9, 5.0]], dtype=np.float32))
    task = Task(training, training * 0, fold_in, np.arange(4), interactions, content)
    values, coverage = quality.measure(np.array([[9.0, 3, 2, 1]] * 2, dtype=np.float32), task, relevant)
    # Item 0 is folded in; the list is 1, 2, 3, of which 2 and 3 are relevant and 2 is liked.
    ideal = 1 + 1 / np.log2(3)
    assert values["ndcg@10"][0] == pytest.approx((1 / np.log2(3) + 1 / 2) / ideal)
    assert values["liked ndcg@10"][0] == pytest.approx(1 / np.log2(3))
    assert values["recall@20"][0] == 1
    assert values["precision@10"][0] == pytest.approx(0.2)
    assert coverage == pytest.approx(0.75)


SETTINGS = {
    "item_knn": {"neighbours": 8, "shrinkage": 5},
    "ease": {"l2": 5, "unrated_weight": 0.5},
    "edlae": {"l2": 5, "dropout": 0.5},
    "ials": {"factors": 8, "regularisation": 1},
    "bpr": {"factors": 8, "regularisation": 0.01},
    "elsa": {"factors": 8, "dropout": 0.2, "epochs": 30},
    "mult_vae": {"hidden": 30, "epochs": 60},
    "history": {"factors": 16, "epochs": 2, "steps_per_epoch": 2, "batch_size": 64},
}


@pytest.mark.parametrize("method", SETTINGS)
def test_a_method_learns_the_tastes_that_popularity_cannot_see(data, method):
    task, relevant = quality.split(*data, 0)
    found = {}
    for name, setting in (("popularity", {}), (method, SETTINGS[method])):
        scored = METHODS[name].run(task, **setting)
        assert scored.scores.shape == task.fold_in.shape
        found[name] = quality.measure(np.asarray(scored.scores, dtype=np.float32), task, relevant)[0]["ndcg@10"].mean()
    assert found[method] > 1.5 * found["popularity"]


def test_every_method_searches_settings_that_it_takes():
    for name, method in METHODS.items():
        assert len(method.settings) == 1 or len(method.settings) >= len(METHODS["history"].settings), name
        assert len({frozenset(setting.items()) for setting in method.settings}) == len(method.settings)
