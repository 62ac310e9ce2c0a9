"""How somebody would rate given anime, by the published model and what they rated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.contrib.auth.models import AnonymousUser

from catalog.models import User
from recommender.engine.history import model as history_model
from recommender.engine.paper.unseen import predicted_ratings
from recommender.serving.anime_arrays import catalogue
from recommender.serving.lists import Path, history
from recommender.serving.models.artifacts import Model
from recommender.serving.models.history import HistoryTowers
from recommender.serving.models.paper import PaperModel
from recommender.serving.models.published import published_model


@dataclass(frozen=True)
class Prediction:
    anime_id: int
    predicted_rating: float | None


@dataclass(frozen=True)
class Predictions:
    path: Path
    model_version: str | None
    results: tuple[Prediction, ...]


def predict(user: User | AnonymousUser, anime_ids: Sequence[int]) -> Predictions:
    """What `user` would rate each of the anime, also what they rated already."""
    if not isinstance(user, User):
        return predict_for_ratings({}, anime_ids)
    ratings, _ = history(user)
    return predict_for_ratings(ratings, anime_ids, shows_adult=user.shows_adult, user_id=user.pk)


def predict_for_ratings(
    ratings: Mapping[int, int], anime_ids: Sequence[int], *, shows_adult: bool = False, user_id: int | None = None
) -> Predictions:
    """The same for somebody whose ratings come with the call. What the person may not see is not predicted."""
    model = published_model()
    by_model = _by_model(model, ratings, user_id)
    if model is None or by_model is None:
        return Predictions(Path.COLD_START, None, tuple(Prediction(anime, None) for anime in anime_ids))
    path, item_ids, values = by_model
    anime = catalogue()
    shown = anime.ids if shows_adult else anime.ids[~anime.is_adult]
    wanted = np.array(anime_ids, dtype=np.int64)
    rows = np.searchsorted(item_ids, wanted).clip(max=len(item_ids) - 1)
    known = (item_ids[rows] == wanted) & np.isin(wanted, shown)
    results = tuple(
        Prediction(anime_id, float(values[row]) if is_known else None)
        for anime_id, row, is_known in zip(anime_ids, rows.tolist(), known.tolist(), strict=True)
    )
    return Predictions(path, model.version, results)


def _by_model(
    model: Model | None, ratings: Mapping[int, int], user_id: int | None
) -> tuple[Path, np.ndarray, np.ndarray] | None:
    """The path, and the model's item ids and predicted ratings, [n_items] each; None where it cannot say."""
    if isinstance(model, HistoryTowers):
        rows = model.model.rows(np.fromiter(ratings, dtype=np.int64, count=len(ratings)))
        scores = np.fromiter(ratings.values(), dtype=np.float32, count=len(ratings))[rows >= 0]
        if not len(scores):
            return None
        return Path.UNSEEN, model.model.item_ids, history_model.predict_ratings(model.model, rows[rows >= 0], scores)
    if isinstance(model, PaperModel) and user_id is not None and (row := model.user_row(user_id)) is not None:
        return Path.SEEN, model.item_ids, predicted_ratings(model.user_embeddings[row], model.item_embeddings)
    return None
