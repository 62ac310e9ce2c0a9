"""How many clusters: four curves over a grid of k, and the elbow of the first.

Source: the paper's section on choosing the number of clusters. Needs scikit-learn and kneed, so workers only.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.engine.paper.clustering import fit_kmeans
from recommender.engine.paper.clusters import KMeansClusters
from recommender.engine.retrieval import Floats

#: The numbers of clusters that are compared; those a catalogue is too small for are left out.
GRID = (10, 25, 50, 75, 100, 125, 150, 175, 200, 250, 300)
#: The silhouette compares all pairs; beyond this it is estimated from a sample of so many items.
SILHOUETTE_SAMPLE = 10_000


@dataclass(frozen=True)
class ClusterCurves:
    """One value of each curve for each k, and what they suggest.

    Attributes:
        inertia: sum of squared distances to the nearest centroid; always falls with k.
        silhouette: mean over items of (b - a) / max(a, b), a and b the mean distances to the own and to the
            next cluster; -1 to 1, higher is better.
        davies_bouldin: mean over clusters of the worst ratio of spread to separation; lower is better.
        entropy: of the shares of items in the clusters, divided by log k; 1 when all are of one size.
        elbow: where the inertia bends most, by kneed (Kneedle, convex and decreasing, sensitivity 1); None
            when it finds no bend.
    """

    k: tuple[int, ...]
    inertia: tuple[float, ...]
    silhouette: tuple[float, ...]
    davies_bouldin: tuple[float, ...]
    entropy: tuple[float, ...]
    elbow: int | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def grid_for(n_items: int, grid: Sequence[int] = GRID) -> tuple[int, ...]:
    """Those of the grid that so many items can be clustered into."""
    return tuple(k for k in grid if 2 <= k < n_items)


def curves(
    item_embeddings: Floats, grid: Sequence[int], *, seed: int, progress: Callable[[int, int], None] | None = None
) -> ClusterCurves:
    """K-means at every k of the grid.

    Args:
        grid: numbers of clusters, ascending, from 2 to less than the number of items.
        progress: called with (done, total) after each k.

    Raises:
        ValueError: a grid that is empty, not ascending or out of range.
    """
    from sklearn.metrics import davies_bouldin_score, silhouette_score

    n_items = len(item_embeddings)
    if not grid or list(grid) != sorted(set(grid)) or grid[0] < 2 or grid[-1] >= n_items:
        raise ValueError(f"the grid must ascend within 2 to {n_items - 1}, got {list(grid)}")
    sample = SILHOUETTE_SAMPLE if n_items > SILHOUETTE_SAMPLE else None
    found: dict[str, list[float]] = {"inertia": [], "silhouette": [], "davies_bouldin": [], "entropy": []}
    for done, k in enumerate(grid, start=1):
        clusters = fit_kmeans(item_embeddings, n_clusters=k, seed=seed)
        found["inertia"].append(inertia(clusters, item_embeddings))
        found["silhouette"].append(
            float(silhouette_score(item_embeddings, clusters.labels, sample_size=sample, random_state=seed))
        )
        found["davies_bouldin"].append(float(davies_bouldin_score(item_embeddings, clusters.labels)))
        found["entropy"].append(size_entropy(clusters.labels, k))
        if progress:
            progress(done, len(grid))
    return ClusterCurves(
        k=tuple(grid), **{name: tuple(v) for name, v in found.items()}, elbow=elbow(grid, found["inertia"])
    )


def inertia(clusters: KMeansClusters, item_embeddings: Floats) -> float:
    """Sum of the squared distances of the items to their centroids."""
    differences = item_embeddings - clusters.centroids[clusters.labels]
    return float((differences.astype(np.float64) ** 2).sum())


def size_entropy(labels: NDArray[np.integer[Any]], n_clusters: int) -> float:
    """Entropy of the clusters' shares of the items over its maximum, log n_clusters; 1 when n_clusters is 1."""
    if n_clusters == 1:
        return 1.0
    shares = np.bincount(labels, minlength=n_clusters) / len(labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum() / np.log(n_clusters))


def elbow(grid: Sequence[int], inertias: Sequence[float]) -> int | None:
    """The k at which a convex falling curve bends most (Kneedle), or None."""
    from kneed import KneeLocator

    if len(grid) < 3:
        return None
    knee = KneeLocator(list(grid), list(inertias), S=1.0, curve="convex", direction="decreasing").knee
    return None if knee is None else int(knee)
