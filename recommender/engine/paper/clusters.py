"""Clusters of item embeddings: the paper's two-step recommendation, and the same clusters as an inverted
file.

Fitting needs scikit-learn (a worker); what it gives are plain arrays, which a web process queries in numpy
alone. Source: the paper's sections on K-means and Gaussian mixtures over item embeddings, 150 clusters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommender.engine.popularity import paper_weighted_score
from recommender.engine.retrieval import NO_ITEM, Csr, Floats, Mask, Metric, rows_of, score, top_k

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class _Clusters:
    labels: NDArray[np.int32]  # [n_items], the cluster of each item

    @property
    def n_clusters(self) -> int:
        raise NotImplementedError

    def affinity(self, users: Floats) -> Floats:
        """How near each embedding is to each cluster `[n_users, n_clusters]`, higher is nearer."""
        raise NotImplementedError

    def nearest(self, users: Floats) -> NDArray[np.int64]:
        """The nearest cluster of each embedding `[n_users]`."""
        return np.asarray(self.affinity(users).argmax(axis=1))

    def to_arrays(self, prefix: str = "") -> Arrays:
        """What an artifact stores, each name with this prefix; `from_arrays` reads it back."""
        return {prefix + field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Self:
        """Raises KeyError when an array is missing."""
        return cls(**{field.name: arrays[prefix + field.name] for field in fields(cls)})


@dataclass(frozen=True, eq=False)
class KMeansClusters(_Clusters):
    """Affinity is minus the Euclidean distance to the centroid."""

    centroids: Floats  # [n_clusters, n_factors]

    @property
    def n_clusters(self) -> int:
        return len(self.centroids)

    def affinity(self, users: Floats) -> Floats:
        return score(users, self.centroids, "euclidean")


@dataclass(frozen=True, eq=False)
class GaussianMixtureClusters(_Clusters):
    """Affinity is the log of weight times density, which orders clusters as their posterior probability does."""

    weights: NDArray[np.float64]  # [n_clusters], sum 1
    means: NDArray[np.float64]  # [n_clusters, n_factors]
    precisions_cholesky: NDArray[np.float64]  # [n_clusters, n_factors, n_factors], upper triangular

    @property
    def n_clusters(self) -> int:
        return len(self.means)

    def affinity(self, users: Floats) -> Floats:
        n_factors = self.means.shape[1]
        scaled_means = np.einsum("cf,cfg->cg", self.means, self.precisions_cholesky)
        log_determinants = np.log(np.diagonal(self.precisions_cholesky, axis1=1, axis2=2)).sum(axis=1)
        constants = np.log(self.weights) + log_determinants - 0.5 * n_factors * np.log(2 * np.pi)
        affinities = np.empty((len(users), self.n_clusters))
        for cluster, (cholesky, mean) in enumerate(zip(self.precisions_cholesky, scaled_means, strict=True)):
            affinities[:, cluster] = constants[cluster] - 0.5 * ((users @ cholesky - mean) ** 2).sum(axis=1)
        return affinities


Clusters = KMeansClusters | GaussianMixtureClusters


def weighted_scores_within(labels: NDArray[np.int32], rating: NDArray[Any], members: NDArray[Any]) -> Floats:
    """The paper's weighted score of each item among the items of its own cluster `[n_items]`, as it ranks them."""
    scores = np.full(len(labels), np.nan)
    for cluster in np.unique(labels):
        inside = labels == cluster
        scores[inside] = paper_weighted_score(rating[inside], members[inside])
    return scores


def best_of_nearest_cluster(
    clusters: Clusters,
    users: Floats,
    item_scores: Floats,
    k: int,
    *,
    exclude: Csr | Mask | None = None,
    fill: bool = False,
) -> tuple[NDArray[np.int64], Floats]:
    """The paper's two steps: find the nearest cluster of each user, take its best unseen items by
    `item_scores`.

    Args:
        users: `[n_users, n_factors]`, such as `unseen.weighted_averages`.
        item_scores: `[n_items]`, the same for all users, such as `weighted_scores_within`.
        exclude: as in `retrieval.top_k`.
        fill: go on with the next nearest clusters where one has less than k left, so that lists are full. The
            paper does not: its lists are then short.

    Returns:
        `(items, scores)` as `retrieval.top_k`; with `fill`, scores start anew at each cluster.
    """
    order = np.argsort(-clusters.affinity(users), axis=1, kind="stable")
    lists = np.full((len(users), k), NO_ITEM, dtype=np.int64)
    scores = np.full((len(users), k), -np.inf)
    indptr, members = inverted_lists(clusters)
    for user in range(len(users)):
        left_out = _excluded_items(exclude, user, len(item_scores))
        found = 0
        for cluster in order[user] if fill else order[user, :1]:
            inside = members[indptr[cluster] : indptr[cluster + 1]]
            places, values = top_k(item_scores[inside][None], k - found, left_out[inside])
            n = int((places[0] >= 0).sum())
            lists[user, found : found + n] = inside[places[0, :n]]
            scores[user, found : found + n] = values[0, :n]
            found += n
            if found == k:
                break
    return lists, scores


def inverted_lists(clusters: Clusters) -> Csr:
    """The items of each cluster as CSR rows, in ascending order."""
    sizes = np.bincount(clusters.labels, minlength=clusters.n_clusters)
    return np.append(0, sizes.cumsum()), np.argsort(clusters.labels, kind="stable")


class InvertedFile:
    """Search in the `nprobe` nearest clusters only, ranking their items by the model's own score.

    nprobe = 1 searches what the paper's method searches; nprobe = n_clusters is exact search. The embeddings
    are kept in the order of their clusters, so that a cluster is read in one piece.
    """

    def __init__(self, clusters: Clusters, item_embeddings: Floats) -> None:
        self.clusters = clusters
        self.indptr, self.items = inverted_lists(clusters)
        self.embeddings = item_embeddings[self.items]

    def search(
        self,
        users: Floats,
        k: int,
        *,
        nprobe: int = 1,
        metric: Metric = "dot",
        exclude: Csr | Mask | None = None,
    ) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """As `retrieval.search`, and the work done: distances computed for each user `[n_users]`.

        A distance is counted for every centroid and every item of the clusters searched, excluded ones
        included. Of equal scores the item of the nearer cluster comes first, then the lower index.

        Raises:
            ValueError: nprobe below 1.
        """
        if nprobe < 1:
            raise ValueError(f"nprobe must be at least 1, got {nprobe}")
        probes = min(nprobe, self.clusters.n_clusters)
        probed, _ = top_k(self.clusters.affinity(users), probes)
        lists = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf, dtype=np.result_type(users, self.embeddings))
        distances = np.empty(len(users), dtype=np.int64)
        for user in range(len(users)):
            pieces = [slice(self.indptr[cluster], self.indptr[cluster + 1]) for cluster in probed[user]]
            candidates = np.concatenate([self.items[piece] for piece in pieces])
            embeddings = np.concatenate([self.embeddings[piece] for piece in pieces])
            left_out = _excluded_items(exclude, user, len(self.items))[candidates]
            places, values = top_k(score(users[user : user + 1], embeddings, metric), k, left_out)
            n = int((places[0] >= 0).sum())
            lists[user, :n] = candidates[places[0, :n]]
            scores[user, :n] = values[0, :n]
            distances[user] = self.clusters.n_clusters + len(candidates)
        return lists, scores, distances


def _excluded_items(exclude: Csr | Mask | None, user: int, n_items: int) -> Mask:
    """What one user must not be shown `[n_items]`."""
    own = rows_of(exclude, user, user + 1)
    if own is not None and not isinstance(own, tuple):
        return own if own.ndim == 1 else own[0]
    mask = np.zeros(n_items, dtype=np.bool_)
    if own is not None:
        mask[own[1]] = True
    return mask
