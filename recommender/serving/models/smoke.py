"""Requests that a model has to answer before anybody is served by it."""

import math

from recommender.engine.artifact import ArtifactError
from recommender.models import TrainingRun
from recommender.serving import lists
from recommender.serving.anime_arrays import catalogue
from recommender.serving.models import artifacts
from recommender.serving.models.artifacts import Model
from recommender.serving.models.history import HistoryTowers

#: Anime that the imagined people have rated, the best of the catalogue that the model knows; and the list's length.
RATED, K = (1, 5, 20), 10


class SmokeError(Exception):
    """The model gave no list, or one that cannot be shown; the message says which."""


def check(run: TrainingRun) -> None:
    """Ask the run's model for lists, for people with few and with many ratings. Raises SmokeError.

    Goes the way that a web process goes, published or not.
    """
    try:
        model = artifacts.load(run)
        known = _known(model)
        if not known:
            raise SmokeError("it knows no anime of the catalogue")
        for count in RATED:
            rated = {anime: 10 - place % 5 for place, anime in enumerate(known[:count])}
            found = lists.recommend_for_ratings(rated, k=K, model=model)
            _check_list(found, rated, is_all_rated=len(rated) >= len(known))
    except (ArtifactError, KeyError, ValueError, IndexError) as error:
        raise SmokeError(f"it does not answer: {error}") from error


def _known(model: Model) -> list[int]:
    """Ids of anime that model and catalogue both have, those with the best scores first."""
    ids = model.model.item_ids if isinstance(model, HistoryTowers) else model.item_ids
    anime = catalogue()
    positions = anime.positions(ids)
    ids, positions = ids[positions >= 0], positions[positions >= 0]
    return [int(pk) for pk in ids[(-anime.weighted_scores[positions]).argsort(kind="stable")]]


def _check_list(found: lists.RecommendationList, rated: dict[int, int], *, is_all_rated: bool) -> None:
    if found.path == lists.Path.COLD_START:
        raise SmokeError(f"it has nothing of its own for somebody with {len(rated)} ratings")
    if not found.items and not is_all_rated:
        raise SmokeError(f"its list for somebody with {len(rated)} ratings is empty")
    shown = [item.anime_id for item in found.items]
    if len(set(shown)) < len(shown) or rated.keys() & set(shown):
        raise SmokeError("its list shows an anime twice, or one that was rated")
    if not all(math.isfinite(item.score) for item in found.items):
        raise SmokeError("its scores are not numbers")
