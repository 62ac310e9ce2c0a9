"""Measures the model of a run, as it lies on disk, on people whom its training left out."""

from typing import Any

import numpy as np

from evaluation.jobs import step
from evaluation.models import Evaluation
from evaluation.offline import metrics
from evaluation.offline.database import read_database
from evaluation.offline.dataset import AnimeFacts
from evaluation.offline.glossary import TABLE_METRICS
from evaluation.offline.protocol import Result, Trial, differences, intervals, run
from evaluation.offline.split import split
from evaluation.runs.keys import BASELINE
from evaluation.runs.methods import run_methods
from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.engine.popularity import interaction_counts
from recommender.engine.ratings import UNRATED
from recommender.serving.models.artifacts import HELD_OUT, load

KS = (10, 100)
#: What runs and methods are compared by.
METRIC = "ndcg@10"
K = 10


def measure(evaluation: Evaluation) -> None:
    """Set what the evaluation keeps; the caller saves it. The same data and seed give the same numbers, but for times.

    Raises:
        ValueError: no model on disk, none that kept people apart, or none of them in the data.
    """
    step(evaluation, "Reading the model and the data")
    try:
        model = load(evaluation.run)
        held_out = load_artifact(evaluation.run.artifact_path, verify=False).arrays.get(HELD_OUT)
    except (ArtifactError, KeyError) as error:
        raise ValueError(f"the model cannot be read: {error}") from error
    if held_out is None:
        raise ValueError("the model was trained on everybody, so that nobody is left to measure it on. Train again.")
    data = read_database()
    evaluation.data_fingerprint = data.ratings.fingerprint()
    user_ids, trial = split(data.ratings, held_out, data.anime.ids, seed=evaluation.seed, n_users=evaluation.n_users)
    evaluation.users = len(user_ids)

    trained_on = ~np.isin(data.ratings.user_ids, held_out)[data.ratings.users] & (data.ratings.ratings != UNRATED)
    places = np.searchsorted(data.anime.ids, data.ratings.item_ids)[data.ratings.items[trained_on]]
    counts = interaction_counts(places, len(data.anime.ids))
    n_training_users = len(np.unique(data.ratings.users[trained_on]))

    methods = run_methods(model, data.anime.ids, counts)
    results = []
    for number, method in enumerate(methods, start=1):
        step(evaluation, f"Ranking the catalogue, {method.title} ({number} of {len(methods)})")
        results += run([method], trial, ks=KS)
    step(evaluation, "Drawing users for the intervals")
    evaluation.methods = [
        _row(result, evaluation.seed, trial, data.anime, counts, n_training_users) for result in results
    ]
    evaluation.differences = [
        difference._asdict() for difference in differences(results, BASELINE, METRIC, seed=evaluation.seed)
    ]
    evaluation.per_user = {
        "users": user_ids.tolist(),
        METRIC: {result.method.key: result.per_user[METRIC].round(6).tolist() for result in results},
    }


def _row(
    result: Result, seed: int, trial: Trial, anime: AnimeFacts, counts: Any, n_training_users: int
) -> dict[str, Any]:
    lists = result.lists
    per_user = {
        "novelty": metrics.novelty(lists, counts, n_training_users, K),
        "genre_diversity": metrics.genre_diversity(lists, anime.genres, K),
        "popularity_bias": metrics.popularity_bias(lists, counts, trial.fold_in.rated, K),
    }
    return {
        "key": result.method.key,
        "title": result.method.title,
        "definition": result.method.definition,
        "metrics": {name: list(found) for name, found in intervals(result, TABLE_METRICS, seed=seed).items()},
        "beyond_accuracy": {
            "coverage": metrics.catalogue_coverage(lists, len(anime.ids), K),
            "gini": metrics.gini(lists, len(anime.ids), K),
            **{name: float(values.mean()) for name, values in per_user.items()},
        },
        "seconds": result.seconds,
    }
