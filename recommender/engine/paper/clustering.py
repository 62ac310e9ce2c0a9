"""Clusters fitted to item embeddings with scikit-learn, so in workers only; `clusters` reads the result in numpy."""

from typing import Any

import numpy as np

from recommender.engine.paper.clusters import GaussianMixtureClusters, KMeansClusters
from recommender.engine.retrieval import Floats

DEFAULT_CLUSTERS = 150
#: Clusters smaller than a list of recommendations are of no use, so small catalogues get fewer of them.
ITEMS_PER_CLUSTER = 10
#: From here on K-means learns from batches, in seconds where the full one takes minutes.
MINI_BATCH_FROM = 50_000
#: The most numbers that the covariances of a mixture may hold (160 MB of float64).
MAX_COVARIANCE_VALUES = 20_000_000
#: Added to the diagonal of every covariance, so that a component of few items has an inverse.
REGULARISATION = 1e-6


def default_n_clusters(n_items: int, wanted: int = DEFAULT_CLUSTERS) -> int:
    """The paper's 150, or fewer when that would leave less than ten items to a cluster."""
    return max(1, min(wanted, n_items // ITEMS_PER_CLUSTER))


def default_n_components(n_items: int, n_factors: int, wanted: int = DEFAULT_CLUSTERS) -> int:
    """As `default_n_clusters`, or fewer when their covariances would not fit in memory."""
    return min(default_n_clusters(n_items, wanted), max(1, MAX_COVARIANCE_VALUES // n_factors**2))


def fit_kmeans(item_embeddings: Floats, *, n_clusters: int | None = None, seed: int) -> KMeansClusters:
    """K-means of the items `[n_items, n_factors]`; by mini-batches when the catalogue is large.

    Raises:
        ValueError: more clusters than items.
    """
    model = _kmeans(item_embeddings, n_clusters, seed)
    return KMeansClusters(labels=model.labels_.astype(np.int32), centroids=model.cluster_centers_)


def fit_gaussian_mixture(
    item_embeddings: Floats, *, n_clusters: int | None = None, seed: int
) -> GaussianMixtureClusters:
    """Mixture of Gaussians with a full covariance each, started from K-means; in float64.

    Raises:
        ValueError: more clusters than items.
    """
    from sklearn.mixture import GaussianMixture

    embeddings = item_embeddings.astype(np.float64)
    model = GaussianMixture(
        _checked(n_clusters, len(embeddings)), covariance_type="full", reg_covar=REGULARISATION, random_state=seed
    )
    with _one_thread():
        labels = model.fit_predict(embeddings)
    return GaussianMixtureClusters(
        labels=labels.astype(np.int32),
        weights=model.weights_,
        means=model.means_,
        precisions_cholesky=model.precisions_cholesky_,
    )


def _checked(n_clusters: int | None, n_items: int) -> int:
    chosen = default_n_clusters(n_items) if n_clusters is None else n_clusters
    if not 1 <= chosen <= n_items:
        raise ValueError(f"{chosen} clusters cannot be made of {n_items} items")
    return chosen


def _kmeans(item_embeddings: Floats, n_clusters: int | None, seed: int) -> Any:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    n_items = len(item_embeddings)
    estimator = MiniBatchKMeans if n_items >= MINI_BATCH_FROM else KMeans
    model = estimator(_checked(n_clusters, n_items), n_init=3, random_state=seed)
    with _one_thread():
        return model.fit(item_embeddings)


def _one_thread() -> Any:
    """scikit-learn adds up its threads' shares in the order they finish, so that sums differ from run to run."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)
