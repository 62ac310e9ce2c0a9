"""Recommendations for one person, from what the process holds in memory and what the database says of the person.

Three paths. A seen user has a row in the published model and gets predicted ratings. An unseen user has ratings that
the model was not trained on: the rating-weighted average of the rated anime's vectors stands for the person. A cold
start has neither and gets the best of the community by weighted score. Nothing here imports or trains anything.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db.models import PositiveSmallIntegerField, Value

from catalog.models import ListEntry, Rating, User
from recommender.catalogue import CatalogueArrays, catalogue
from recommender.engine.retrieval import top_k
from recommender.engine.unseen import predicted_ratings, weighted_average
from recommender.published import PublishedModel, published_model

MAX_K = 100
#: How many of the rated anime a reason names.
MAX_REASONS = 2


class Path(StrEnum):
    SEEN = "seen"
    UNSEEN = "unseen"
    COLD_START = "cold_start"


class Method(StrEnum):
    AUTO = "auto"
    TWO_TOWER = "two_tower"
    WEIGHTED_AVERAGE = "weighted_average"
    POPULARITY = "popularity"


METHODS = tuple(Method)


class MethodUnavailable(ValueError):
    """The method asked for needs a model or ratings that are not there; the message says which."""


@dataclass(frozen=True)
class Recommended:
    """One anime of a list. `score` is what the list is ordered by; its scale is the method's own."""

    anime_id: int
    score: float
    predicted_rating: float | None = None
    because: tuple[int, ...] = ()


@dataclass(frozen=True)
class RecommendationList:
    path: Path
    method: Method
    model_version: str | None
    items: tuple[Recommended, ...]


def recommend(user: User | AnonymousUser, *, k: int = 20, method: str = Method.AUTO) -> RecommendationList:
    """The `k` best anime for `user`, without what they rated, listed or dismissed.

    Raises MethodUnavailable unless `method` is "auto".
    """
    if not isinstance(user, User):
        return recommend_for_ratings({}, k=k, method=method)
    ratings, listed = _history(user)
    return recommend_for_ratings(
        ratings, k=k, method=method, shows_adult=user.shows_adult, exclude=listed, user_id=user.pk
    )


def recommend_for_ratings(
    ratings: Mapping[int, int],
    *,
    k: int = 20,
    method: str = Method.AUTO,
    shows_adult: bool = False,
    exclude: Collection[int] = (),
    user_id: int | None = None,
) -> RecommendationList:
    """The same for somebody whose ratings, anime id to score, are given with the call."""
    k = max(1, min(k, MAX_K))
    candidates = _Candidates(catalogue(), {*ratings, *exclude}, shows_adult)
    chosen = Method(method)
    if chosen == Method.POPULARITY:
        return _cold_start(candidates, k)
    model = published_model()
    user_row = model.user_row(user_id) if model and user_id is not None else None
    if model and user_row is not None and chosen in (Method.AUTO, Method.TWO_TOWER):
        return _seen(model, user_row, ratings, candidates, k)
    if model and chosen in (Method.AUTO, Method.WEIGHTED_AVERAGE):
        known = [(row, score) for anime, score in ratings.items() if (row := model.item_row(anime)) is not None]
        if known:
            rows, scores = np.array(known, dtype=np.int64).T
            return _unseen(model, rows, scores, candidates, k)
    if chosen != Method.AUTO:
        raise MethodUnavailable(_why_unavailable(chosen, model))
    return _cold_start(candidates, k)


def similar(anime_id: int, *, k: int = 12, shows_adult: bool = False) -> tuple[int, ...]:
    """The `k` anime whose vectors point most nearly where this one's does; none when the model does not know it."""
    model = published_model()
    row = model.item_row(anime_id) if model else None
    if model is None or row is None:
        return ()
    candidates = _Candidates(catalogue(), {anime_id}, shows_adult)
    norms = np.linalg.norm(model.item_embeddings, axis=1)
    cosines = model.item_embeddings @ model.item_embeddings[row] / np.maximum(norms * norms[row], 1e-12)
    return tuple(anime for anime, _, _ in candidates.best_of_model(model, cosines, k))


class _Candidates:
    """Which anime may be recommended in this call."""

    def __init__(self, anime: CatalogueArrays, excluded: Collection[int], shows_adult: bool) -> None:
        self.anime = anime
        self.barred = np.zeros(len(anime.ids), dtype=bool) if shows_adult else anime.is_adult.copy()
        positions = anime.positions(np.fromiter(excluded, dtype=np.int64, count=len(excluded)))
        self.barred[positions[positions >= 0]] = True

    def best(self, scores: np.ndarray, k: int) -> list[tuple[int, float]]:
        """The best `k` of the catalogue by `scores` [n_anime]: (anime id, score), best first."""
        rows, values = top_k(scores[None, :], k, exclude=self.barred[None, :])
        return [(int(self.anime.ids[row]), float(v)) for row, v in zip(rows[0], values[0], strict=True) if row >= 0]

    def best_of_model(self, model: PublishedModel, scores: np.ndarray, k: int) -> list[tuple[int, float, int]]:
        """The same by `scores` [n_items] over the model's items: (anime id, score, the item's row in the model)."""
        positions = self.anime.positions(model.item_ids)
        barred = (positions < 0) | self.barred[positions]
        rows, values = top_k(scores[None, :], k, exclude=barred[None, :])
        return [
            (int(model.item_ids[row]), float(v), int(row))
            for row, v in zip(rows[0], values[0], strict=True)
            if row >= 0
        ]


def _seen(
    model: PublishedModel, user_row: int, ratings: Mapping[int, int], candidates: _Candidates, k: int
) -> RecommendationList:
    predicted = predicted_ratings(model.user_embeddings[user_row], model.item_embeddings)
    rated = [(row, score) for anime, score in ratings.items() if (row := model.item_row(anime)) is not None]
    rows, scores = np.array(rated, dtype=np.int64).reshape(-1, 2).T
    # Ordered by the unclipped score, so that those predicted at the top of the scale are still told apart.
    order = model.item_embeddings @ model.user_embeddings[user_row]
    items = tuple(
        Recommended(anime, score, float(predicted[row]), _because(model, rows, scores, row))
        for anime, score, row in candidates.best_of_model(model, order, k)
    )
    return RecommendationList(Path.SEEN, Method.TWO_TOWER, model.version, items)


def _unseen(
    model: PublishedModel, rows: np.ndarray, scores: np.ndarray, candidates: _Candidates, k: int
) -> RecommendationList:
    average = weighted_average(model.item_embeddings, rows, scores)
    items = tuple(
        Recommended(anime, score, None, _because(model, rows, scores, row))
        for anime, score, row in candidates.best_of_model(model, model.item_embeddings @ average, k)
    )
    return RecommendationList(Path.UNSEEN, Method.WEIGHTED_AVERAGE, model.version, items)


def _cold_start(candidates: _Candidates, k: int) -> RecommendationList:
    items = tuple(Recommended(anime, score) for anime, score in candidates.best(candidates.anime.weighted_scores, k))
    return RecommendationList(Path.COLD_START, Method.POPULARITY, None, items)


def _because(model: PublishedModel, rows: np.ndarray, scores: np.ndarray, item: int) -> tuple[int, ...]:
    """The rated anime that weigh most: the terms of the weighted average's dot product with the item, largest first."""
    terms = scores * (model.item_embeddings[rows] @ model.item_embeddings[item])
    order = np.argsort(-terms, kind="stable")[:MAX_REASONS]
    return tuple(int(model.item_ids[rows[i]]) for i in order if terms[i] > 0)


def _history(user: User) -> tuple[dict[int, int], set[int]]:
    """The user's ratings, and what is on their list whatever its status, in one query."""
    rated = Rating.objects.filter(user=user).values_list("anime_id", "score")
    no_score = Value(None, output_field=PositiveSmallIntegerField())
    listed = ListEntry.objects.filter(user=user).values_list("anime_id", no_score)
    ratings: dict[int, int] = {}
    on_list: set[int] = set()
    for anime_id, score in rated.order_by().union(listed.order_by(), all=True):
        if score:
            ratings[anime_id] = score
        else:
            on_list.add(anime_id)
    return ratings, on_list


def _why_unavailable(method: Method, model: PublishedModel | None) -> str:
    if model is None:
        return f"Method {method} needs a published model, and there is none yet."
    if method == Method.TWO_TOWER:
        return f"Method {method} needs a user that the model was trained on. Use weighted_average or auto."
    return f"Method {method} needs a rating of at least one anime that the model knows."
