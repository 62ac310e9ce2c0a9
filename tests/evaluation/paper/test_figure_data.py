import numpy as np
import pytest
from sklearn.decomposition import PCA

from evaluation.offline.protocol import Histories, split_in_half
from evaluation.paper import figure_data
from recommender.engine.paper.clustering import fit_kmeans
from recommender.engine.paper.clusters import InvertedFile

N_ITEMS, N_USERS = 300, 40


@pytest.fixture(scope="module")
def items():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(10, 8))[rng.integers(0, 10, N_ITEMS)] * 3 + rng.normal(size=(N_ITEMS, 8))).astype(
        "float32"
    )


@pytest.fixture(scope="module")
def users(items):
    return items[:N_USERS] + np.float32(0.1)


@pytest.fixture(scope="module")
def index(items):
    return InvertedFile(fit_kmeans(items, n_clusters=10, seed=0), items)


def test_the_work_of_both_searches_is_counted(users, items, index):
    cost = figure_data.search_cost(users, items, index, repeats=1)
    sizes = np.bincount(index.clusters.labels, minlength=10)
    assert (cost.users, cost.items, cost.clusters) == (N_USERS, N_ITEMS, 10)
    assert cost.exact_distances == N_ITEMS
    assert cost.cluster_distances == pytest.approx(10 + sizes[index.clusters.nearest(users)].mean())
    assert 0 < cost.kept <= 1
    assert figure_data.search_cost(users, items, index, nprobe=10, repeats=1).kept == 1


def test_costs_by_users_take_the_first_of_them_and_no_more_than_there_are(users, items, index):
    costs = figure_data.search_cost_by_users(users, items, index, [70, 25, 5000], repeats=1)
    assert [cost.users for cost in costs] == [25, N_USERS]


def test_larger_catalogues_save_more_work(items, monkeypatch):
    monkeypatch.setattr(figure_data, "FIT_SAMPLE", 500)
    monkeypatch.setattr(figure_data, "ASSIGN_BLOCK", 300)
    done = []
    costs = figure_data.search_cost_by_items(
        items, [400, 2500], seed=0, n_users=10, repeats=1, on_done=lambda *step: done.append(step)
    )
    assert [(cost.items, cost.clusters) for cost in costs] == [(400, 20), (2500, 50)]
    assert done == [(1, 2), (2, 2)]
    shares = [cost.cluster_distances / cost.exact_distances for cost in costs]
    assert shares[1] < shares[0] < 0.5


def test_moved_copies_are_like_the_items_and_follow_the_seed(items):
    copies = figure_data.moved_copies(items, 5000, seed=1)
    assert copies.shape == (5000, 8)
    assert copies.dtype == items.dtype
    np.testing.assert_allclose(copies.std(axis=0), items.std(axis=0) * np.sqrt(1 + 1 / 16), rtol=0.1)
    np.testing.assert_array_equal(copies, figure_data.moved_copies(items, 5000, seed=1))
    assert len(np.unique(copies, axis=0)) == 5000


def test_the_probe_curve_ends_in_exact_search(items, index):
    rng = np.random.default_rng(0)
    rows = [rng.choice(N_ITEMS, 8, replace=False) for _ in range(30)]
    histories = Histories(np.arange(0, 241, 8), np.concatenate(rows), rng.integers(1, 11, 240))
    curve = figure_data.probe_curve(index, items, split_in_half(histories, seed=0), [1, 3, 10, 999], metric="dot")
    assert [point.nprobe for point in curve] == [1, 3, 10]
    assert curve[-1].kept == 1
    assert curve[-1].distances == N_ITEMS + 10
    assert [point.kept for point in curve] == sorted(point.kept for point in curve)


def test_seen_user_errors_by_hand():
    """Two users; user 0's nearest cluster holds item 0 alone, user 1's items 2 and 3."""
    item_embeddings = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 4.0], [1.0, 5.0]])
    user_embeddings = np.array([[3.0, 1.0], [0.0, 2.0]])
    clusters = fit_kmeans(item_embeddings, n_clusters=3, seed=0)
    assert clusters.labels[2] == clusters.labels[3]
    ratings = (np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 2, 3]), np.array([8.0, 1.0, 1.0, 9.0, 9.0]))
    (found,) = figure_data.seen_user_errors(
        user_embeddings, item_embeddings, ratings, clusters, [2], seed=0, rounded=False
    )
    # predictions: user 0: 6, 1; user 1: 2, 8, 10
    assert found.all_anime == pytest.approx(((4 + 0) / 2 + (1 + 1 + 1) / 3) / 2)
    assert found.users_in_cluster == 2
    assert found.nearest_cluster == pytest.approx((4 / 1 + (1 + 1) / 2) / 2)


def test_seen_user_errors_leave_out_who_rated_nothing_in_the_nearest_cluster():
    item_embeddings = np.array([[0.0, 10.0], [10.0, 0.0], [5.0, 5.0]])
    clusters = fit_kmeans(item_embeddings, n_clusters=3, seed=0)
    ratings = (np.array([0, 0]), np.array([0, 1]), np.array([5.0, 5.0]))  # the average is where item 2 lies
    found = figure_data.seen_user_errors(
        np.ones((1, 2)), item_embeddings, ratings, clusters, [50], seed=0, rounded=True
    )
    assert found[0].users == 1
    assert found[0].users_in_cluster == 0
    assert np.isnan(found[0].nearest_cluster)


def test_larger_groups_contain_the_smaller(items):
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(60), 10)
    ratings = (of, rng.integers(0, N_ITEMS, 600), rng.integers(1, 11, 600).astype(float))
    clusters = fit_kmeans(items, n_clusters=5, seed=0)
    user_embeddings = rng.normal(size=(60, 8))
    alone = figure_data.seen_user_errors(user_embeddings, items, ratings, clusters, [20], seed=3, rounded=True)
    among = figure_data.seen_user_errors(user_embeddings, items, ratings, clusters, [20, 60], seed=3, rounded=True)
    assert alone[0] == among[0]
    assert among[1].users == 60


def test_the_plane_is_that_of_scikit_learn(items):
    view = figure_data.plane(items)
    theirs = PCA(2, svd_solver="full").fit(items.astype(np.float64))
    np.testing.assert_allclose(view.explained, theirs.explained_variance_ratio_, rtol=1e-6)
    projected = theirs.transform(items.astype(np.float64))
    np.testing.assert_allclose(np.abs(np.column_stack([view.x, view.y])), np.abs(projected), atol=1e-4)


def test_cluster_sizes_come_largest_first(index):
    sizes = figure_data.cluster_sizes(index.clusters)
    assert sum(sizes) == N_ITEMS
    assert sizes == sorted(sizes, reverse=True)
