"""The data behind the paper's figures, as plain numbers: what is drawn, and what it costs to search clusters.

Times are of this machine and differ from run to run; everything else follows from its seed.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.offline.metrics import evaluate
from evaluation.offline.protocol import Trial
from recommender.engine.paper import unseen
from recommender.engine.paper.clustering import fit_kmeans
from recommender.engine.paper.clusters import Clusters, InvertedFile, KMeansClusters
from recommender.engine.retrieval import Floats, Metric, search

#: K-means of a very large catalogue learns its centroids from so many of the items.
FIT_SAMPLE = 20_000
#: Items that are assigned to their clusters at once.
ASSIGN_BLOCK = 20_000


class SearchCost(NamedTuple):
    """One list, made by exact search and by searching the nearest clusters.

    Attributes:
        users: for how many users lists were made, one at a time, as a site does.
        items, clusters: size of the catalogue and of its inverted file.
        exact_ms, cluster_ms: median milliseconds for a list.
        exact_distances, cluster_distances: mean number of distances computed for a list.
        kept: mean share of the exact list that the clusters hold, too.
    """

    users: int
    items: int
    clusters: int
    exact_ms: float
    cluster_ms: float
    exact_distances: float
    cluster_distances: float
    kept: float


class ProbeCost(NamedTuple):
    """Quality and work of searching the `nprobe` nearest clusters."""

    nprobe: int
    ndcg: float
    precision: float
    kept: float
    distances: float


class SeenUserError(NamedTuple):
    """Mean squared error of predicted ratings, averaged over users; of all their anime, and of the nearest cluster's.

    `users_in_cluster` of the `users` have rated an anime of their nearest cluster; the others do not count there.
    """

    users: int
    users_in_cluster: int
    all_anime: float
    nearest_cluster: float


class Plane(NamedTuple):
    """Embeddings seen along the two directions in which they spread most."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    explained: tuple[float, float]


def search_cost(
    users: Floats,
    item_embeddings: Floats,
    index: InvertedFile,
    *,
    k: int = 10,
    nprobe: int = 1,
    metric: Metric = "euclidean",
    repeats: int = 5,
) -> SearchCost:
    """Time and work of lists for these users `[n_users, n_factors]`.

    Both ways are timed in turn, so that load hits both, and on one core: on a busy machine the threads of a matrix
    product wait for each other longer than they work.
    """
    from threadpoolctl import threadpool_limits

    def exact(user: Floats) -> NDArray[np.int64]:
        return search(user, item_embeddings, k, metric=metric)[0]

    def in_clusters(user: Floats) -> NDArray[np.int64]:
        return index.search(user, k, nprobe=nprobe, metric=metric)[0]

    exact_times, cluster_times = [], []
    with threadpool_limits(limits=1):
        for _ in range(repeats):
            exact_times.append(_ms_per_list(exact, users))
            cluster_times.append(_ms_per_list(in_clusters, users))
    lists, _, distances = index.search(users, k, nprobe=nprobe, metric=metric)
    return SearchCost(
        users=len(users),
        items=len(item_embeddings),
        clusters=index.clusters.n_clusters,
        exact_ms=statistics.median(exact_times),
        cluster_ms=statistics.median(cluster_times),
        exact_distances=float(len(item_embeddings)),
        cluster_distances=float(distances.mean()),
        kept=_share_kept(lists, search(users, item_embeddings, k, metric=metric)[0]),
    )


def search_cost_by_users(
    users: Floats, item_embeddings: Floats, index: InvertedFile, user_counts: Sequence[int], **settings: Any
) -> list[SearchCost]:
    """`search_cost` for the first n of the users, for each n. The paper has 25, 50 and 70."""
    return [
        search_cost(users[:n], item_embeddings, index, **settings)
        for n in sorted({min(n, len(users)) for n in user_counts})
    ]


def search_cost_by_items(
    item_embeddings: Floats,
    sizes: Sequence[int],
    *,
    seed: int,
    n_users: int = 25,
    on_done: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> list[SearchCost]:
    """`search_cost` in larger catalogues, each of slightly moved copies of the given items, with sqrt(n) clusters.

    The users are points of the same kind, so that they fall where items are.
    """
    found = []
    for done, size in enumerate(sizes, start=1):
        items = moved_copies(item_embeddings, size, seed=seed)
        index = InvertedFile(_coarse_clusters(items, seed), items)
        users = moved_copies(item_embeddings, n_users, seed=seed + 1)
        found.append(search_cost(users, items, index, **settings))
        if on_done:
            on_done(done, len(sizes))
    return found


def moved_copies(item_embeddings: Floats, size: int, *, seed: int) -> Floats:
    """`[size, n_factors]`: items drawn with replacement, moved by a quarter of the spread of each factor."""
    rng = np.random.default_rng(seed)
    drawn = item_embeddings[rng.integers(0, len(item_embeddings), size)]
    noise = rng.standard_normal(drawn.shape, dtype=np.float32)
    return np.asarray(drawn + noise * item_embeddings.std(axis=0) / 4, dtype=item_embeddings.dtype)


def probe_curve(
    index: InvertedFile,
    item_embeddings: Floats,
    trial: Trial,
    nprobes: Sequence[int],
    *,
    k: int = 10,
    metric: Metric = "dot",
) -> list[ProbeCost]:
    """From the nearest cluster to all of them: what more work buys, on held-out users."""
    users = unseen.weighted_averages(item_embeddings, *trial.fold_in)
    exclude = trial.fold_in.rated
    exact = search(users, item_embeddings, k, metric=metric, exclude=exclude)[0]
    curve = []
    for nprobe in sorted({min(n, index.clusters.n_clusters) for n in nprobes}):
        lists, _, distances = index.search(users, k, nprobe=nprobe, metric=metric, exclude=exclude)
        values = evaluate(lists, trial.held_out.rated, [k])
        curve.append(
            ProbeCost(
                nprobe=nprobe,
                ndcg=float(values[f"ndcg@{k}"].mean()),
                precision=float(values[f"precision@{k}"].mean()),
                kept=_share_kept(lists, exact),
                distances=float(distances.mean()),
            )
        )
    return curve


def seen_user_errors(
    user_embeddings: Floats,
    item_embeddings: Floats,
    ratings: tuple[NDArray[Any], ...],
    clusters: Clusters,
    user_counts: Sequence[int],
    *,
    seed: int,
    rounded: bool,
) -> list[SeenUserError]:
    """Error of the predicted ratings of n seen users, for each n, over all they rated and over their nearest cluster.

    Args:
        ratings: `(users, items, ratings)`, each `[n]`, of seen users: all of them, as the paper has it, or those held
            back for validation.
        user_counts: the paper has 50, 100 and 250; the larger groups contain the smaller.
        seed: of the draw of users.
        rounded: predict whole ratings, as the paper does.
    """
    of, items, given = ratings
    rated_something = np.unique(of)
    drawn = np.random.default_rng(seed).permutation(rated_something)
    error = np.zeros((len(drawn), 2))
    counts_in_cluster = np.zeros(len(drawn), dtype=np.int64)
    order = np.argsort(of, kind="stable")
    starts = np.searchsorted(of[order], drawn)
    stops = np.searchsorted(of[order], drawn, side="right")
    for place in range(min(max(user_counts), len(drawn))):
        own = order[starts[place] : stops[place]]
        rated, values = items[own], given[own]
        predicted = unseen.predicted_ratings(user_embeddings[drawn[place]], item_embeddings[rated], rounded=rounded)
        squared = (predicted - values) ** 2
        average = unseen.weighted_average(item_embeddings, rated, values)
        inside = clusters.labels[rated] == clusters.nearest(average[None])[0]
        counts_in_cluster[place] = inside.sum()
        error[place] = squared.mean(), squared[inside].mean() if inside.any() else 0
    found = []
    for n in sorted({min(count, len(drawn)) for count in user_counts}):
        has_any = counts_in_cluster[:n] > 0
        found.append(
            SeenUserError(
                users=n,
                users_in_cluster=int(has_any.sum()),
                all_anime=float(error[:n, 0].mean()),
                nearest_cluster=float(error[:n, 1][has_any].mean()) if has_any.any() else float("nan"),
            )
        )
    return found


def plane(embeddings: Floats) -> Plane:
    """Principal components 1 and 2 of the embeddings; the largest coordinate of each direction counts as positive."""
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    two = directions[:2]
    two = two * np.sign(two[np.arange(len(two)), np.abs(two).argmax(axis=1)])[:, None]
    x, y = (centred @ two.T).T
    shares = lengths**2 / (lengths**2).sum()
    return Plane(x, y, (float(shares[0]), float(shares[1])))


def cluster_sizes(clusters: Clusters) -> list[int]:
    """Items in each cluster, the largest first."""
    sizes = np.bincount(clusters.labels, minlength=clusters.n_clusters)
    return [int(size) for size in np.sort(sizes)[::-1]]


def _ms_per_list(rank: Callable[[Floats], Any], users: Floats) -> float:
    start = time.perf_counter()
    for user in range(len(users)):
        rank(users[user : user + 1])
    return (time.perf_counter() - start) * 1000 / len(users)


def _share_kept(lists: NDArray[np.int64], exact: NDArray[np.int64]) -> float:
    """Mean share of each exact list that is in the other, whatever the ranks."""
    both = (lists[:, :, None] == exact[:, None, :]) & (exact >= 0)[:, None, :]
    return float((both.any(axis=1).sum(axis=1) / np.maximum((exact >= 0).sum(axis=1), 1)).mean())


def _coarse_clusters(items: Floats, seed: int) -> KMeansClusters:
    """sqrt(n) clusters, their centroids learnt from a sample, every item assigned to the nearest."""
    n_clusters = max(1, round(len(items) ** 0.5))
    sample = np.random.default_rng(seed).permutation(len(items))[:FIT_SAMPLE]
    fitted = fit_kmeans(items[sample], n_clusters=n_clusters, seed=seed)
    labels = [fitted.nearest(items[start : start + ASSIGN_BLOCK]) for start in range(0, len(items), ASSIGN_BLOCK)]
    return KMeansClusters(labels=np.concatenate(labels).astype(np.int32), centroids=fitted.centroids)
