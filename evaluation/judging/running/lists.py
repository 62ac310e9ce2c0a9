"""The lists that an experiment compares: of trained models, as the site would serve them, and of the controls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.models import User
from evaluation.judging.models import Contestant, Experiment, Subject
from evaluation.offline.metrics import evaluate
from recommender.engine.holdout import mixed
from recommender.engine.popularity import interaction_counts
from recommender.engine.ratings import UNRATED, RatingMatrix
from recommender.serving import lists as serving
from recommender.serving.anime_arrays import CatalogueArrays
from recommender.serving.candidates import Candidates
from recommender.serving.models import artifacts
from recommender.serving.models.artifacts import Model

#: Metrics of a list against what the person rated besides are of its first ten.
K = 10
METRICS = ("ndcg", "map", "precision", "recall")


@dataclass(frozen=True)
class Reader:
    """Somebody for whom a list is made: a subject with what the site knows of an account."""

    user_id: int | None
    ratings: Mapping[int, int]
    statuses: Mapping[int, str]
    shows_adult: bool

    @classmethod
    def of(cls, subject: Subject) -> "Reader":
        ratings = dict(subject.history)
        if subject.held_out or subject.account_id is None:
            # What is on an account's list says of the half that is held out, and a seen user's row knows it.
            return cls(None, ratings, {}, False)
        user = User.objects.get(pk=subject.account_id)
        return cls(user.pk, ratings, serving.history(user)[1], user.shows_adult)


Lists = Callable[[Reader], list[int]]


def maker(contestant: Contestant, experiment: Experiment, ratings: RatingMatrix, anime: CatalogueArrays) -> Lists:
    """The function that makes a contestant's lists of anime ids, best first, without what the reader has rated.

    Raises:
        ArtifactError, KeyError: a model that cannot be read.
    """
    if contestant.run is not None:
        return _served(artifacts.load(contestant.run), experiment.list_length, anime)
    if contestant.kind == Contestant.Kind.RANDOM:
        return _random(experiment.list_length, anime, experiment.seed)
    rated = ratings.ratings != UNRATED
    places = anime.positions(ratings.item_ids)[ratings.items[rated]]
    counts = interaction_counts(places[places >= 0], len(anime.ids))
    return _ranked(lambda reader: counts, experiment.list_length, anime)


def metrics(found: list[int], held_out: list[int]) -> dict[str, float]:
    """Accuracy of a list against what the person rated besides; empty where nothing is known of that."""
    if not held_out:
        return {}
    lists = np.full((1, K), -1, dtype=np.int64)
    lists[0, : min(K, len(found))] = found[:K]
    relevant = np.array(sorted(held_out), dtype=np.int64)
    values = evaluate(lists, (np.array([0, len(relevant)]), relevant), (K,))
    return {f"{name}@{K}": round(float(values[f"{name}@{K}"][0]), 6) for name in METRICS}


def of_known_franchise(found: list[int], history: list[int], anime: CatalogueArrays) -> list[int]:
    """Those of a list of whose franchise something is in the history."""
    numbers = anime.wide_franchises.numbers
    shown = numbers[anime.positions(np.array(found, dtype=np.int64))]
    is_known = np.isin(shown, numbers[anime.places(history)])
    return [one for one, known in zip(found, is_known.tolist(), strict=True) if known]


def _served(model: Model, k: int, anime: CatalogueArrays) -> Lists:
    def make(reader: Reader) -> list[int]:
        found = serving.recommend_for_ratings(
            reader.ratings,
            k=k,
            shows_adult=reader.shows_adult,
            statuses=reader.statuses,
            user_id=reader.user_id,
            model=model,
            anime=anime,
        )
        return [item.anime_id for item in found.items]

    return make


def _random(k: int, anime: CatalogueArrays, seed: int) -> Lists:
    def scores(reader: Reader) -> NDArray[np.float64]:
        own = np.bitwise_xor.reduce(np.fromiter(reader.ratings, dtype=np.int64, count=len(reader.ratings)))
        return mixed(mixed(anime.ids, seed=seed).view(np.int64) ^ own, seed=seed).astype(np.float64)

    return _ranked(scores, k, anime)


def _ranked(scores: Callable[[Reader], NDArray[np.float64]], k: int, anime: CatalogueArrays) -> Lists:
    """The best by the scores [n_anime] of what may be shown to the reader, as for a model."""

    def make(reader: Reader) -> list[int]:
        candidates = Candidates(anime, {*reader.ratings, *reader.statuses}, reader.shows_adult)
        return [int(anime.ids[row]) for row, _ in candidates.best_of(anime.ids, scores(reader), k)]

    return make
