"""The whole paper on one data set: every method, table and figure, as plain numbers that a report shows.

Imports scikit-learn and JAX while it runs, so it belongs in a worker or a command.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from evaluation.offline import metrics
from evaluation.offline.dataset import Dataset
from evaluation.offline.glossary import TABLE_METRICS
from evaluation.offline.protocol import Histories, Method, Result, Trial, differences, intervals, run, split_in_half
from evaluation.paper import figure_data
from evaluation.paper import metrics as paper_metrics
from evaluation.paper.methods import (
    Catalogue,
    cluster_methods,
    cold_start_methods,
    predicted_rating,
    top_of,
    weighted_average_methods,
)
from recommender.engine.paper import unseen
from recommender.engine.paper.cluster_choice import GRID, curves, grid_for
from recommender.engine.paper.clustering import (
    default_n_clusters,
    default_n_components,
    fit_gaussian_mixture,
    fit_kmeans,
)
from recommender.engine.paper.clusters import Clusters, InvertedFile
from recommender.engine.paper.config import PaperConfig
from recommender.engine.paper.preparation import Prepared, prepare
from recommender.engine.popularity import bayesian_average, interaction_counts, paper_weighted_score

Findings = dict[str, Any]
Report = Callable[[str], None]

#: Lists are judged by their first ten places, as in the paper, and by a hundred.
K, DEEP_K = 10, 100
BASELINE, BASELINE_METRIC = "popularity", "ndcg@10"
#: What the paper prints for its two methods, by key of ours: Precision@10, MAP, NDCG.
PUBLISHED = {"kmeans": (0.0254, 0.0560, 0.0911), "weighted_average": (0.0148, 0.0803, 0.0920)}
PUBLISHED_ROWS = 500
#: Clusters drawn in a colour of their own in the plane; the rest share one.
COLOURED_CLUSTERS = 5


@dataclass(frozen=True)
class Settings:
    """What a reproduction does. The defaults are the paper's values where it has one.

    Attributes:
        seed: of everything that is drawn.
        epochs: of training.
        n_held_out: held-out users; None lets the preparation choose.
        factors, batch_size, learning_rate: of training, too.
        clusters: of K-means and the mixture; a small catalogue gets fewer.
        cluster_grid: numbers of clusters to choose from; those a catalogue is too small for are left out.
        nprobes: clusters searched, on the way from the paper's method to exact search.
        search_users, search_items: for how many users, and in how large catalogues, search is timed.
        seen_users: groups of seen users whose predicted ratings are compared with theirs.
        ranked_seen_users: seen users for whom the catalogue is ranked by predicted rating.
    """

    seed: int = 0
    epochs: int = 35
    n_held_out: int | None = None
    factors: int = 32
    batch_size: int = 10_000
    learning_rate: float = 0.01
    clusters: int = 150
    cluster_grid: tuple[int, ...] = GRID
    nprobes: tuple[int, ...] = (1, 2, 3, 5, 10, 20, 50, 100, 150)
    search_users: tuple[int, ...] = (25, 50, 70, 100, 250, 500)
    search_items: tuple[int, ...] = (10_000, 31_623, 100_000, 316_228, 1_000_000)
    seen_users: tuple[int, ...] = (50, 100, 250)
    ranked_seen_users: int = 1000


FULL = Settings()
#: Every part of the full one, on a reduced grid: for tests and continuous integration.
QUICK = replace(
    FULL,
    epochs=4,
    cluster_grid=(5, 10, 20, 40),
    nprobes=(1, 3, 10, 150),
    search_users=(25, 50, 70),
    search_items=(1_000, 10_000),
    ranked_seen_users=200,
)


def reproduce(dataset: Dataset, settings: Settings = FULL, report: Report = lambda step: None) -> Findings:
    """Run everything; `report` is told each step as it begins.

    The findings are JSON: numbers, strings, lists and objects. The same data, settings and machine give the same
    findings, but for the times (see `report.without_times`).

    Raises:
        ValueError: too few ratings to train on.
    """
    from recommender.engine.paper.training import train

    report("Preparing the ratings")
    prepared = prepare(dataset.ratings, seed=settings.seed, n_held_out=settings.n_held_out)
    facts = dataset.anime.of(prepared.item_ids)
    counts = interaction_counts(prepared.train_items, len(prepared.item_ids))
    catalogue = Catalogue(prepared.item_ids, facts.rating, facts.members, counts, len(prepared.user_ids))
    trial = split_in_half(held_out_histories(prepared), seed=settings.seed)

    report(f"Training the paper's model, {settings.epochs} epochs")
    model = train(prepared, PaperConfig(**{name: getattr(settings, name) for name in PaperConfig.field_names()}))
    items = model.item_embeddings

    report("Clustering the anime")
    n_clusters = default_n_clusters(len(items), settings.clusters)
    kmeans = fit_kmeans(items, n_clusters=n_clusters, seed=settings.seed)
    n_components = default_n_components(len(items), items.shape[1], settings.clusters)
    mixture = fit_gaussian_mixture(items, n_clusters=n_components, seed=settings.seed)
    index = InvertedFile(kmeans, items)

    report("Ranking the catalogue for held-out users by every method")
    methods = [
        *cold_start_methods(catalogue),
        *weighted_average_methods(items),
        *cluster_methods("kmeans", "K-means", kmeans, items, catalogue),
        *cluster_methods("gmm", "Gaussian mixture", mixture, items, catalogue),
    ]
    results = run(methods, trial, ks=(K, DEEP_K))

    report("Ranking the catalogue for seen users")
    seen_results = _rank_for_seen_users(prepared, model.user_embeddings, items, catalogue, settings)

    report("Probing more and more clusters")
    probes: dict[str, Any] = {
        metric: _rows(figure_data.probe_curve(index, items, trial, settings.nprobes, k=K, metric=metric))
        for metric in ("euclidean", "dot")
    }

    report(f"Choosing the number of clusters: {len(grid_for(len(items), settings.cluster_grid))} to compare")
    choice = _cluster_choice(items, settings)

    report("Comparing predicted with given ratings")
    errors = _seen_user_errors(prepared, model.user_embeddings, items, kmeans, settings)

    report(f"Timing search in catalogues of up to {max(settings.search_items):,} anime")
    averages = unseen.weighted_averages(items, *trial.fold_in)
    by_users = figure_data.search_cost_by_users(averages, items, index, settings.search_users, k=K)
    by_items = figure_data.search_cost_by_items(items, settings.search_items, seed=settings.seed, k=K)

    return {
        "about": _about(dataset, prepared, settings),
        "training": [asdict(epoch) for epoch in model.reports],
        "methods": [_method_row(result, settings.seed) for result in results],
        "beyond_accuracy": [_beyond_accuracy(result, catalogue, trial, facts.genres, items) for result in results],
        "differences": _rows(differences(results, BASELINE, BASELINE_METRIC, seed=settings.seed)),
        "paper_table": _paper_table(results, trial, catalogue, settings.seed),
        "seen_users": [_method_row(result, settings.seed) for result in seen_results],
        "cold_start": _cold_start_lists(dataset),
        "cluster_choice": choice,
        "cluster_sizes": {
            "kmeans": figure_data.cluster_sizes(kmeans),
            "gmm": figure_data.cluster_sizes(mixture),
        },
        "plane": _plane(items, kmeans),
        "probe_curve": probes,
        "seen_user_errors": errors,
        "search_cost": {"by_users": _rows(by_users), "by_items": _rows(by_items)},
    }


def held_out_histories(prepared: Prepared) -> Histories:
    """The held-out users' ratings, items by their index in the catalogue."""
    held_out = prepared.held_out
    items = np.searchsorted(prepared.item_ids, held_out.item_ids)[held_out.items]
    return Histories(held_out.indptr, items, held_out.ratings)


def _about(dataset: Dataset, prepared: Prepared, settings: Settings) -> Findings:
    return {
        "data": dataset.name,
        "fingerprint": prepared.fingerprint,
        "counts": {name: int(value) for name, value in prepared.counts.items()},
        "settings": asdict(settings),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "jax", "flax", "optax", "scikit-learn", "kneed")},
        },
    }


def _method_row(result: Result, seed: int) -> Findings:
    found = intervals(result, TABLE_METRICS, seed=seed)
    return {
        **_named(result.method),
        "metrics": {name: list(interval) for name, interval in found.items()},
        "seconds": result.seconds,
    }


def _beyond_accuracy(result: Result, catalogue: Catalogue, trial: Trial, genres: Any, item_embeddings: Any) -> Findings:
    lists, n_items = result.lists, len(catalogue.counts)
    return {
        **_named(result.method),
        "coverage": metrics.catalogue_coverage(lists, n_items, K),
        "gini": metrics.gini(lists, n_items, K),
        "novelty": float(metrics.novelty(lists, catalogue.counts, catalogue.n_training_users, K).mean()),
        "genre_diversity": float(metrics.genre_diversity(lists, genres, K).mean()),
        "embedding_diversity": float(metrics.embedding_diversity(lists, item_embeddings, K).mean()),
        "popularity_bias": float(metrics.popularity_bias(lists, catalogue.counts, trial.fold_in.rated, K).mean()),
    }


def _paper_table(results: Sequence[Result], trial: Trial, catalogue: Catalogue, seed: int) -> list[Findings]:
    """The paper's table of two methods: what it prints, and our lists under ever more of its definitions.

    `correct` are ours; `published_metrics` divide by what was retrieved, as its code does; `published_procedure`
    adds that it averages over rows of ratings, confuses two kinds of ids and, for one method, loses the ranks.
    """
    held_out = trial.held_out
    users = np.repeat(np.arange(held_out.n_users), np.diff(held_out.indptr) + np.diff(trial.fold_in.indptr))
    user_of_row = np.random.default_rng(seed).permutation(users)[:PUBLISHED_ROWS]
    rows = []
    for result in results:
        if result.method.key not in PUBLISHED:
            continue
        lists = result.lists[:, :K]
        found = metrics.hits(lists, held_out.rated)
        scored = lists
        if result.method.key == "weighted_average":
            scored = paper_metrics.in_order_of_ids(lists, K, catalogue.anime_ids)
        accidents = paper_metrics.hits_across_id_spaces(scored, held_out.rated, catalogue.anime_ids)
        rows.append(
            {
                **_named(result.method),
                "published": list(PUBLISHED[result.method.key]),
                "correct": [float(result.per_user[f"{name}@{K}"].mean()) for name in ("precision", "map", "ndcg")],
                "published_metrics": [float(values.mean()) for values in _published_metrics(found)],
                "published_procedure": [
                    paper_metrics.mean_over_rows(values, user_of_row, PUBLISHED_ROWS)
                    for values in _published_metrics(accidents)
                ],
            }
        )
    return rows


def _published_metrics(found: metrics.Hits) -> list[metrics.PerUser]:
    return [
        metrics.precision(found, K),
        paper_metrics.average_precision(found, K),
        paper_metrics.ndcg(found, K),
    ]


def _rank_for_seen_users(
    prepared: Prepared, user_embeddings: Any, item_embeddings: Any, catalogue: Catalogue, settings: Settings
) -> list[Result]:
    """Users that were trained on: what they rated in training is folded in, what was held back is looked for."""
    eligible = np.intersect1d(prepared.train_users, prepared.validation_users)
    users = np.random.default_rng(settings.seed).permutation(eligible)[: settings.ranked_seen_users]
    users.sort()
    trial = Trial(
        _histories(users, prepared.train_users, prepared.train_items, prepared.train_ratings),
        _histories(users, prepared.validation_users, prepared.validation_items, prepared.validation_ratings),
    )
    methods = [
        predicted_rating(user_embeddings[users], item_embeddings),
        cold_start_methods(catalogue)[0],
        *weighted_average_methods(item_embeddings),
    ]
    return run(methods, trial, ks=(K, DEEP_K))


def _histories(users: Any, of: Any, items: Any, ratings: Any) -> Histories:
    """The ratings of some `users`, ascending, out of three arrays of all."""
    chosen = np.flatnonzero(np.isin(of, users))
    chosen = chosen[np.lexsort((items[chosen], of[chosen]))]
    lengths = np.bincount(np.searchsorted(users, of[chosen]), minlength=len(users))
    return Histories(np.append(0, lengths.cumsum()), items[chosen], ratings[chosen])


def _cold_start_lists(dataset: Dataset) -> Findings:
    """The twenty best of the whole catalogue by either weighted score, with what each is made of."""
    anime = dataset.anime
    scores = {
        "paper_weighted_score": paper_weighted_score(anime.rating, anime.members),
        "bayesian_average": bayesian_average(anime.rating, anime.members),
    }
    return {
        key: [
            {
                "name": anime.names[place],
                "rating": float(anime.rating[place]),
                "members": int(anime.members[place]),
                "score": float(values[place]),
            }
            for place in top_of(values, 20)
            if place >= 0
        ]
        for key, values in scores.items()
    }


def _cluster_choice(item_embeddings: Any, settings: Settings) -> Findings:
    grid = grid_for(len(item_embeddings), settings.cluster_grid)
    return curves(item_embeddings, grid, seed=settings.seed).as_dict()


def _seen_user_errors(
    prepared: Prepared, user_embeddings: Any, item_embeddings: Any, clusters: Clusters, settings: Settings
) -> Findings:
    """As published: on all ratings of seen users, predictions rounded. And on those that were not trained on."""
    trained = (prepared.train_users, prepared.train_items, prepared.train_ratings)
    held_back = (prepared.validation_users, prepared.validation_items, prepared.validation_ratings)
    both = tuple(np.concatenate(arrays) for arrays in zip(trained, held_back, strict=True))
    found = {}
    for name, ratings, rounded in (("as_published", both, True), ("held_back", held_back, False)):
        found[name] = _rows(
            figure_data.seen_user_errors(
                user_embeddings,
                item_embeddings,
                ratings,
                clusters,
                settings.seen_users,
                seed=settings.seed,
                rounded=rounded,
            )
        )
    return found


def _plane(item_embeddings: Any, clusters: Clusters) -> Findings:
    """The anime in the plane of the first two principal components, the largest clusters apart from the rest."""
    view = figure_data.plane(item_embeddings)
    largest = np.argsort(-np.bincount(clusters.labels, minlength=clusters.n_clusters), kind="stable")
    groups = []
    for place, cluster in enumerate(largest[:COLOURED_CLUSTERS]):
        inside = clusters.labels == cluster
        groups.append({"name": f"cluster {place + 1} by size", **_points(view, inside)})
    rest = ~np.isin(clusters.labels, largest[:COLOURED_CLUSTERS])
    if rest.any():
        groups.append({"name": "all other clusters", **_points(view, rest)})
    return {"explained": list(view.explained), "groups": groups}


def _points(view: figure_data.Plane, chosen: Any) -> Findings:
    # Three decimals are more than a picture shows, and a fifth of the text.
    return {"x": view.x[chosen].round(3).tolist(), "y": view.y[chosen].round(3).tolist()}


def _named(method: Method) -> dict[str, str]:
    return {"key": method.key, "title": method.title, "definition": method.definition}


def _rows(tuples: Sequence[Any]) -> list[Findings]:
    return [row._asdict() for row in tuples]
