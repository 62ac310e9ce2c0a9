"""The methods on a small world with two tastes: each must do what its definition says."""

import numpy as np
import pytest

from evaluation.offline.protocol import Histories, run, split_in_half
from evaluation.paper import methods
from recommender.engine.paper.clustering import fit_gaussian_mixture, fit_kmeans
from recommender.engine.paper.clusters import InvertedFile
from recommender.engine.popularity import paper_weighted_score

N_ITEMS = 80


@pytest.fixture(scope="module")
def world():
    """Items 0-39 and 40-79 lie apart; each user rates items of one side. Embeddings, histories, catalogue."""
    rng = np.random.default_rng(0)
    side = np.arange(N_ITEMS) // 40
    embeddings = np.where(side[:, None], 3.0, -3.0) * np.ones(4) + rng.normal(size=(N_ITEMS, 4))
    rows = [rng.choice(40, n, replace=False) + 40 * (user % 2) for user, n in enumerate(rng.integers(4, 20, 100))]
    lengths = [len(row) for row in rows]
    histories = Histories(
        np.append(0, np.cumsum(lengths)), np.concatenate(rows), rng.integers(1, 11, sum(lengths)).astype(np.int8)
    )
    rating = rng.uniform(5, 9, N_ITEMS)
    rating[5] = np.nan
    catalogue = methods.Catalogue(
        anime_ids=np.arange(N_ITEMS) * 3 + 1,
        rating=rating,
        members=rng.integers(10, 10_000, N_ITEMS).astype(float),
        counts=np.bincount(histories.items, minlength=N_ITEMS).astype(float),
        n_training_users=100,
    )
    return embeddings, histories, catalogue


@pytest.fixture(scope="module", params=[fit_kmeans, fit_gaussian_mixture])
def clusters(request, world):
    return request.param(world[0], n_clusters=4, seed=0)


def test_every_method_passes_the_protocol_and_has_a_definition(world, clusters):
    embeddings, histories, catalogue = world
    everything = [
        *methods.cold_start_methods(catalogue),
        *methods.weighted_average_methods(embeddings),
        *methods.cluster_methods("kmeans", "K-means", clusters, embeddings, catalogue),
        methods.probing(InvertedFile(clusters, embeddings), embeddings, 2, metric="euclidean"),
    ]
    results = run(everything, split_in_half(histories, seed=0), ks=[5])
    assert len({method.key for method in everything}) == len({method.title for method in everything}) == 8
    assert all(method.definition.endswith(".") for method in everything)
    quality = {result.method.key: result.per_user["precision@5"].mean() for result in results}
    assert quality["weighted_average"] > quality["popularity"]  # it alone sees a user's side


def test_cold_start_lists_follow_their_scores(world):
    _, histories, catalogue = world
    trial = split_in_half(histories, seed=0)
    popularity, paper, _ = run(methods.cold_start_methods(catalogue), trial, ks=[10])
    for result, scores in (
        (popularity, catalogue.counts),
        (paper, paper_weighted_score(catalogue.rating, catalogue.members)),
    ):
        for user, row in enumerate(result.lists):
            rated = set(trial.fold_in.items[slice(*trial.fold_in.indptr[user : user + 2])].tolist())
            order = [i for i in np.lexsort((np.arange(N_ITEMS), -scores)).tolist() if i not in rated]
            assert row.tolist() == order[:10]


def test_cluster_methods_stay_in_the_nearest_cluster(world, clusters):
    embeddings, histories, catalogue = world
    trial = split_in_half(histories, seed=0)
    for result in run(methods.cluster_methods("x", "X", clusters, embeddings, catalogue), trial, ks=[10]):
        for row in result.lists:
            assert len(set(clusters.labels[row[row >= 0]].tolist())) == 1


def test_probing_all_clusters_is_the_exact_method(world, clusters):
    embeddings, histories, _ = world
    fold_in = split_in_half(histories, seed=0).fold_in
    exact = methods.weighted_average_methods(embeddings)[0].rank(fold_in, 10)
    probed = methods.probing(InvertedFile(clusters, embeddings), embeddings, 4, metric="euclidean").rank(fold_in, 10)
    assert (exact == probed).all()


def test_top_of_is_the_list_for_all():
    assert methods.top_of(np.array([1.0, np.nan, 3.0, 3.0]), 4).tolist() == [2, 3, 0, -1]
