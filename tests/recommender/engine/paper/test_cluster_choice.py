import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import davies_bouldin_score, silhouette_score

from recommender.engine.paper import cluster_choice
from recommender.engine.paper.cluster_choice import curves, elbow, inertia, size_entropy
from recommender.engine.paper.clustering import fit_kmeans

GRID = [2, 4, 6, 8, 10, 12]


@pytest.fixture(scope="module")
def six_groups():
    rng = np.random.default_rng(0)
    centres = np.eye(6) * 10
    return centres[np.arange(300) % 6] + rng.normal(size=(300, 6)) * 0.3


def test_every_curve_finds_the_six_groups(six_groups):
    done = []
    found = curves(six_groups, GRID, seed=0, progress=lambda *step: done.append(step))
    six = GRID.index(6)
    assert np.argmax(found.silhouette) == np.argmin(found.davies_bouldin) == six
    assert found.elbow == 6
    assert found.entropy[six] == pytest.approx(1)
    assert (np.diff(found.inertia) < 0).all()
    assert done == [(i, 6) for i in range(1, 7)]


def test_values_are_scikit_learns(six_groups):
    found = curves(six_groups, [4, 7], seed=2)
    for place, k in enumerate([4, 7]):
        theirs = KMeans(k, n_init=3, random_state=2).fit(six_groups)
        assert found.inertia[place] == pytest.approx(theirs.inertia_)
        assert found.silhouette[place] == pytest.approx(silhouette_score(six_groups, theirs.labels_))
        assert found.davies_bouldin[place] == pytest.approx(davies_bouldin_score(six_groups, theirs.labels_))


def test_the_silhouette_of_many_items_is_estimated_from_a_seeded_sample(six_groups, monkeypatch):
    whole = curves(six_groups, [3], seed=0)
    monkeypatch.setattr(cluster_choice, "SILHOUETTE_SAMPLE", 150)
    sampled, again = (curves(six_groups, [3], seed=0) for _ in range(2))
    assert sampled == again
    assert sampled.silhouette != whole.silhouette
    assert sampled.silhouette[0] == pytest.approx(whole.silhouette[0], abs=0.05)


def test_inertia_agrees_with_the_fit(six_groups):
    clusters = fit_kmeans(six_groups, n_clusters=5, seed=0)
    brute = sum(
        np.linalg.norm(x - clusters.centroids[c]) ** 2 for x, c in zip(six_groups, clusters.labels, strict=True)
    )
    assert inertia(clusters, six_groups) == pytest.approx(brute)


def test_entropy_by_hand():
    assert size_entropy(np.array([0, 0, 1, 1]), 2) == pytest.approx(1)
    assert size_entropy(np.array([0, 0, 0, 1]), 2) == pytest.approx(0.811278, abs=1e-6)
    assert size_entropy(np.array([0, 0]), 2) == 0
    assert size_entropy(np.array([0, 0]), 1) == 1


def test_no_bend_no_elbow():
    assert elbow([2, 3, 4, 5], [40.0, 30.0, 20.0, 10.0]) is None
    assert elbow([2, 3], [40.0, 10.0]) is None


@pytest.mark.parametrize("grid", [[], [4, 2], [1, 5], [3, 3], [2, 300]])
def test_a_grid_out_of_range_is_named(six_groups, grid):
    with pytest.raises(ValueError, match="ascend within 2 to 299"):
        curves(six_groups, grid, seed=0)
