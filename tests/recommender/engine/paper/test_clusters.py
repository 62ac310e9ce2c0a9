import subprocess
import sys

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from recommender.engine.paper import clustering
from recommender.engine.paper import clusters as engine
from recommender.engine.popularity import paper_weighted_score
from recommender.engine.retrieval import NO_ITEM, search

N_ITEMS, N_CLUSTERS = 400, 12


@pytest.fixture(scope="module")
def item_embeddings():
    """Items around 12 centres, so that there is something to find."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(N_CLUSTERS, 6)) * 2
    return centres[rng.integers(0, N_CLUSTERS, N_ITEMS)] + rng.normal(size=(N_ITEMS, 6)) * 0.6


@pytest.fixture(scope="module")
def users():
    return np.random.default_rng(1).normal(size=(60, 6))


@pytest.fixture(scope="module", params=[clustering.fit_kmeans, clustering.fit_gaussian_mixture])
def fitted(request, item_embeddings):
    return request.param(item_embeddings, n_clusters=N_CLUSTERS, seed=3)


@pytest.fixture(scope="module")
def excluded():
    mask = np.random.default_rng(2).random((60, N_ITEMS)) < 0.3
    return np.append(0, mask.sum(axis=1).cumsum()), np.nonzero(mask)[1]


def test_kmeans_assigns_as_scikit_learn_does(item_embeddings, users):
    found = clustering.fit_kmeans(item_embeddings, n_clusters=N_CLUSTERS, seed=3)
    theirs = KMeans(N_CLUSTERS, n_init=3, random_state=3).fit(item_embeddings)
    assert (found.nearest(users) == theirs.predict(users)).all()
    assert (found.nearest(item_embeddings) == found.labels).all()


def test_gaussian_mixture_assigns_as_scikit_learn_does(item_embeddings, users):
    found = clustering.fit_gaussian_mixture(item_embeddings, n_clusters=N_CLUSTERS, seed=3)
    theirs = GaussianMixture(N_CLUSTERS, random_state=3).fit(item_embeddings)
    # Affinity and the log of the probability differ by a constant of each user.
    differences = found.affinity(users) - np.log(np.maximum(theirs.predict_proba(users), 1e-300))
    likely = theirs.predict_proba(users) > 1e-200
    for row, mask in zip(differences, likely, strict=True):
        np.testing.assert_allclose(row[mask], row[mask][0], atol=1e-9)
    assert (found.nearest(users) == theirs.predict(users)).all()
    assert (found.labels == theirs.predict(item_embeddings)).all()


def test_the_affinity_of_a_far_away_user_is_finite(item_embeddings):
    found = clustering.fit_gaussian_mixture(item_embeddings, n_clusters=N_CLUSTERS, seed=3)
    assert np.isfinite(found.affinity(np.full((1, 6), 1e3))).all()


def test_same_seed_same_clusters_other_seed_others(item_embeddings):
    for fit in (clustering.fit_kmeans, clustering.fit_gaussian_mixture):
        first, again, other = (fit(item_embeddings, n_clusters=20, seed=seed) for seed in (7, 7, 8))
        for name, array in first.to_arrays().items():
            np.testing.assert_array_equal(array, again.to_arrays()[name])
        assert (first.labels != other.labels).any()


def test_a_large_catalogue_is_clustered_by_mini_batches(item_embeddings, monkeypatch):
    whole = clustering.fit_kmeans(item_embeddings, n_clusters=N_CLUSTERS, seed=3)
    monkeypatch.setattr(clustering, "MINI_BATCH_FROM", 100)
    batched = clustering.fit_kmeans(item_embeddings, n_clusters=N_CLUSTERS, seed=3)
    assert (batched.centroids != whole.centroids).any()
    assert set(batched.labels) == set(range(N_CLUSTERS))


@pytest.mark.parametrize(("n_items", "expected"), [(12_294, 150), (1_500, 150), (400, 40), (15, 1), (3, 1)])
def test_default_number_of_clusters_leaves_room_for_a_list_in_each(n_items, expected):
    assert clustering.default_n_clusters(n_items) == expected


def test_default_number_is_used(item_embeddings):
    assert clustering.fit_kmeans(item_embeddings, seed=0).n_clusters == 40


def test_more_clusters_than_items_is_refused(item_embeddings):
    with pytest.raises(ValueError, match="5 clusters cannot be made of 4 items"):
        clustering.fit_kmeans(item_embeddings[:4], n_clusters=5, seed=0)


def test_arrays_survive_storage(fitted, users, tmp_path):
    np.savez(tmp_path / "clusters.npz", **fitted.to_arrays())
    with np.load(tmp_path / "clusters.npz") as arrays:
        read = type(fitted).from_arrays(arrays)
    np.testing.assert_array_equal(read.affinity(users), fitted.affinity(users))


def test_stored_clusters_are_queried_without_scikit_learn(fitted, users, item_embeddings, tmp_path):
    """What a web process does: load the arrays, assign, search."""
    np.savez(tmp_path / "clusters.npz", **fitted.to_arrays())
    np.savez(tmp_path / "vectors.npz", users=users, items=item_embeddings)
    script = f"""
import sys
import numpy as np
from recommender.engine.paper import clusters
read = clusters.{type(fitted).__name__}.from_arrays(np.load({str(tmp_path / "clusters.npz")!r}))
vectors = np.load({str(tmp_path / "vectors.npz")!r})
lists, _, _ = clusters.InvertedFile(read, vectors["items"]).search(vectors["users"], 3)
print(lists.tolist())
assert not {{"sklearn", "scipy", "kneed"}} & set(sys.modules), "a web process must not load these"
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    here, _, _ = engine.InvertedFile(fitted, item_embeddings).search(users, 3)
    assert done.stdout.strip() == str(here.tolist())


@pytest.mark.parametrize("k", [3, 200])
def test_best_of_nearest_cluster_is_what_the_paper_describes(fitted, users, excluded, k):
    item_scores = np.random.default_rng(5).integers(0, 50, N_ITEMS).astype(float)
    lists, scores = engine.best_of_nearest_cluster(fitted, users, item_scores, k, exclude=excluded)
    indptr, indices = excluded
    for user, ranked in enumerate(lists):
        seen = set(indices[indptr[user] : indptr[user + 1]])
        inside = [i for i in np.flatnonzero(fitted.labels == fitted.nearest(users)[user]) if i not in seen]
        expected = sorted(inside, key=lambda i: (-item_scores[i], i))[:k]
        assert ranked.tolist() == expected + [NO_ITEM] * (k - len(expected))
        assert scores[user, : len(expected)].tolist() == item_scores[expected].tolist()
        assert (scores[user, len(expected) :] == -np.inf).all()


def test_filled_lists_go_on_with_the_next_nearest_clusters(fitted, users, excluded):
    item_scores = np.random.default_rng(5).random(N_ITEMS)
    short, _ = engine.best_of_nearest_cluster(fitted, users, item_scores, 100, exclude=excluded)
    full, _ = engine.best_of_nearest_cluster(fitted, users, item_scores, 100, exclude=excluded, fill=True)
    assert (short == NO_ITEM).any()
    assert (full != NO_ITEM).all()
    assert all(len(set(row)) == 100 for row in full)
    assert ((short == full) | (short == NO_ITEM)).all()
    ranks = np.argsort(np.argsort(-fitted.affinity(users), axis=1), axis=1)
    of_list = np.take_along_axis(ranks, fitted.labels[full].astype(int), axis=1)
    assert (np.diff(of_list, axis=1) >= 0).all()


def test_weighted_scores_compare_within_a_cluster():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 50).astype(np.int32)
    rating, members = rng.uniform(5, 9, 50), rng.integers(10, 1000, 50)
    scores = engine.weighted_scores_within(labels, rating, members)
    for cluster in range(4):
        inside = labels == cluster
        np.testing.assert_array_equal(scores[inside], paper_weighted_score(rating[inside], members[inside]))


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
@pytest.mark.parametrize("nprobe", [N_CLUSTERS, 10_000])
def test_probing_all_clusters_is_exact_search(fitted, item_embeddings, users, excluded, metric, nprobe):
    index = engine.InvertedFile(fitted, item_embeddings)
    lists, scores, distances = index.search(users, 20, nprobe=nprobe, metric=metric, exclude=excluded)
    exact, exact_scores = search(users, item_embeddings, 20, metric=metric, exclude=excluded)
    assert (lists == exact).all()
    np.testing.assert_allclose(scores, exact_scores, atol=1e-9)
    assert (distances == N_ITEMS + N_CLUSTERS).all()


def test_one_probe_searches_the_nearest_cluster_and_counts_its_work(fitted, item_embeddings, users):
    lists, _, distances = engine.InvertedFile(fitted, item_embeddings).search(users, 5, nprobe=1, metric="euclidean")
    sizes = np.bincount(fitted.labels, minlength=N_CLUSTERS)
    assert (distances == N_CLUSTERS + sizes[fitted.nearest(users)]).all()
    for user, ranked in enumerate(lists):
        inside = np.flatnonzero(fitted.labels == fitted.nearest(users)[user])
        order = np.linalg.norm(item_embeddings[inside] - users[user], axis=1).argsort()
        expected = inside[order[:5]].tolist()
        assert ranked.tolist() == expected + [NO_ITEM] * (5 - len(expected))


def test_more_probes_never_lose_what_exact_search_finds(fitted, item_embeddings, users):
    index = engine.InvertedFile(fitted, item_embeddings)
    exact, _ = search(users, item_embeddings, 10)
    recalls = []
    for nprobe in (1, 3, 6, 12):
        lists, _, _ = index.search(users, 10, nprobe=nprobe)
        recalls.append(np.mean([len(set(a) & set(b)) for a, b in zip(lists, exact, strict=True)]) / 10)
    assert recalls == sorted(recalls)
    assert recalls[0] < recalls[-1] == 1


def test_a_mask_excludes_as_csr_does(fitted, item_embeddings, users, excluded):
    mask = np.zeros((60, N_ITEMS), dtype=bool)
    mask[np.repeat(np.arange(60), np.diff(excluded[0])), excluded[1]] = True
    index = engine.InvertedFile(fitted, item_embeddings)
    by_mask = index.search(users, 9, nprobe=2, exclude=mask)[0]
    assert (by_mask == index.search(users, 9, nprobe=2, exclude=excluded)[0]).all()
    for_all = index.search(users, 9, nprobe=2, exclude=mask[0])[0]
    assert not mask[0][for_all[for_all >= 0]].any()


def test_nprobe_must_be_positive(fitted, item_embeddings, users):
    with pytest.raises(ValueError, match="nprobe must be at least 1"):
        engine.InvertedFile(fitted, item_embeddings).search(users, 3, nprobe=0)
