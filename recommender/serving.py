"""Recommendations for one person, from what the process holds in memory and what the database says of the person.

Three paths. A seen user has a row in the published model, one of the paper's family, and gets predicted ratings. An
unseen user has ratings that need no row: the history model's user tower, or the rating-weighted average of the rated
anime's vectors, makes a vector of them in the call. A cold start has neither, and gets the best of the community by
weighted score. Nothing here imports or trains anything.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db.models import CharField, PositiveSmallIntegerField, Value

from catalog.histories import WATCHED
from catalog.models import ListEntry, Rating, User
from recommender.catalogue import CatalogueArrays, catalogue
from recommender.engine import reranking, towers
from recommender.engine.retrieval import top_k
from recommender.engine.unseen import predicted_ratings, weighted_average
from recommender.published import HistoryTowers, Model, PaperModel, published_model

MAX_K = 100
#: How many of the rated anime a reason names.
MAX_REASONS = 2
#: How many of the best are there to choose from where the list holds one anime of a franchise.
RERANKED = 200


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
    ratings, statuses = _history(user)
    return recommend_for_ratings(
        ratings, k=k, method=method, shows_adult=user.shows_adult, statuses=statuses, user_id=user.pk
    )


def recommend_for_ratings(
    ratings: Mapping[int, int],
    *,
    k: int = 20,
    method: str = Method.AUTO,
    shows_adult: bool = False,
    statuses: Mapping[int, str] | None = None,
    exclude: Collection[int] = (),
    user_id: int | None = None,
    model: Model | None = None,
) -> RecommendationList:
    """The same for somebody whose ratings, anime id to score, and list, anime id to status, come with the call.

    By `model` where one is given, and not by the published one.
    """
    k = max(1, min(k, MAX_K))
    statuses = statuses or {}
    candidates = _Candidates(catalogue(), {*ratings, *statuses, *exclude}, shows_adult)
    chosen = Method(method)
    if chosen == Method.POPULARITY:
        return _cold_start(candidates, k)
    model = model or published_model()
    found = None
    if isinstance(model, PaperModel):
        found = _by_paper_model(model, chosen, ratings, user_id, candidates, k)
    elif isinstance(model, HistoryTowers):
        found = _by_history(model, chosen, ratings, statuses, candidates, k)
    if found is None and chosen != Method.AUTO:
        raise MethodUnavailable(_why_unavailable(chosen, model))
    return found or _cold_start(candidates, k)


def similar(anime_id: int, *, k: int = 12, shows_adult: bool = False) -> tuple[int, ...]:
    """The `k` anime whose vectors point most nearly where this one's does; none when the model does not know it."""
    published = published_model()
    if isinstance(published, HistoryTowers):
        item_ids, vectors = published.model.item_ids, published.model.item_embeddings[:, :-1]
    elif isinstance(published, PaperModel):
        item_ids, vectors = published.item_ids, published.item_embeddings
    else:
        return ()
    row = int(np.searchsorted(item_ids, anime_id))
    if row == len(item_ids) or item_ids[row] != anime_id:
        return ()
    norms = np.linalg.norm(vectors, axis=1)
    cosines = vectors @ vectors[row] / np.maximum(norms * norms[row], 1e-12)
    candidates = _Candidates(catalogue(), {anime_id}, shows_adult)
    return tuple(int(item_ids[row]) for row, _ in candidates.best_of(item_ids, cosines, k))


class _Candidates:
    """Which anime may be recommended in this call."""

    def __init__(self, anime: CatalogueArrays, excluded: Collection[int], shows_adult: bool) -> None:
        self.anime = anime
        self.barred = np.zeros(len(anime.ids), dtype=bool) if shows_adult else anime.is_adult.copy()
        positions = anime.positions(np.fromiter(excluded, dtype=np.int64, count=len(excluded)))
        self.barred[positions[positions >= 0]] = True

    def best_of(self, item_ids: np.ndarray, scores: np.ndarray, k: int) -> list[tuple[int, float]]:
        """The best `k` of `item_ids` by `scores`, each [n_items]: (row, score), best first."""
        positions = self.anime.positions(item_ids)
        barred = (positions < 0) | self.barred[positions] if len(self.barred) else np.ones(len(item_ids), dtype=bool)
        rows, values = top_k(scores[None, :], k, exclude=barred[None, :])
        return [(int(row), float(value)) for row, value in zip(rows[0], values[0], strict=True) if row >= 0]


def _by_paper_model(
    model: PaperModel,
    chosen: Method,
    ratings: Mapping[int, int],
    user_id: int | None,
    candidates: _Candidates,
    k: int,
) -> RecommendationList | None:
    """By the paper's model: a seen user's predicted ratings, or an unseen user's weighted average."""
    known = [(row, score) for anime, score in ratings.items() if (row := model.item_row(anime)) is not None]
    rows, scores = np.array(known, dtype=np.int64).reshape(-1, 2).T
    user_row = model.user_row(user_id) if user_id is not None else None
    if user_row is not None and chosen in (Method.AUTO, Method.TWO_TOWER):
        return _seen(model, user_row, rows, scores, candidates, k)
    if known and chosen in (Method.AUTO, Method.WEIGHTED_AVERAGE):
        return _unseen(model, rows, scores, candidates, k)
    return None


def _by_history(
    published: HistoryTowers,
    chosen: Method,
    ratings: Mapping[int, int],
    statuses: Mapping[int, str],
    candidates: _Candidates,
    k: int,
) -> RecommendationList | None:
    """By the history model: whoever has rated or watched something is a user vector away, trained on or not."""
    model = published.model
    rated = model.rows(np.fromiter(ratings, dtype=np.int64, count=len(ratings)))
    scores = np.fromiter(ratings.values(), dtype=np.float32, count=len(ratings))[rated >= 0]
    rated = rated[rated >= 0]
    watched = [anime for anime, status in statuses.items() if status in WATCHED and anime not in ratings]
    rows = np.concatenate([rated, model.rows(np.array(watched, dtype=np.int64))])
    rows = rows[rows >= 0]
    if not len(rows) or chosen not in (Method.AUTO, Method.TWO_TOWER):
        return None
    pool = candidates.best_of(model.item_ids, towers.score_items(model, rows), max(RERANKED, 2 * k))
    score_of = dict(pool)
    shown = reranking.rerank(
        np.fromiter(score_of, dtype=np.int64, count=len(pool)),
        np.fromiter(score_of.values(), dtype=np.float64, count=len(pool)),
        k,
        embeddings=model.item_embeddings,
        franchises=model.franchises,
    )
    predicted = towers.predict_ratings(model, rated, scores)
    reasons = towers.explain(model, rated, shown, MAX_REASONS)
    items = tuple(
        Recommended(
            int(model.item_ids[row]),
            score_of[row],
            float(predicted[row]) if len(rated) else None,
            tuple(int(model.item_ids[reason]) for reason in because),
        )
        for row, because in zip(shown.tolist(), reasons, strict=True)
    )
    return RecommendationList(Path.UNSEEN, Method.TWO_TOWER, published.version, items)


def _seen(
    model: PaperModel, user_row: int, rows: np.ndarray, scores: np.ndarray, candidates: _Candidates, k: int
) -> RecommendationList:
    predicted = predicted_ratings(model.user_embeddings[user_row], model.item_embeddings)
    # Ordered by the unclipped score, so that those predicted at the top of the scale are still told apart.
    order = model.item_embeddings @ model.user_embeddings[user_row]
    items = tuple(
        Recommended(int(model.item_ids[row]), score, float(predicted[row]), _because(model, rows, scores, row))
        for row, score in candidates.best_of(model.item_ids, order, k)
    )
    return RecommendationList(Path.SEEN, Method.TWO_TOWER, model.version, items)


def _unseen(
    model: PaperModel, rows: np.ndarray, scores: np.ndarray, candidates: _Candidates, k: int
) -> RecommendationList:
    average = weighted_average(model.item_embeddings, rows, scores)
    items = tuple(
        Recommended(int(model.item_ids[row]), score, None, _because(model, rows, scores, row))
        for row, score in candidates.best_of(model.item_ids, model.item_embeddings @ average, k)
    )
    return RecommendationList(Path.UNSEEN, Method.WEIGHTED_AVERAGE, model.version, items)


def _cold_start(candidates: _Candidates, k: int) -> RecommendationList:
    anime = candidates.anime
    best = candidates.best_of(anime.ids, anime.weighted_scores, k)
    items = tuple(Recommended(int(anime.ids[row]), score) for row, score in best)
    return RecommendationList(Path.COLD_START, Method.POPULARITY, None, items)


def _because(model: PaperModel, rows: np.ndarray, scores: np.ndarray, item: int) -> tuple[int, ...]:
    """The rated anime that weigh most: the terms of the weighted average's dot product with the item, largest first."""
    terms = scores * (model.item_embeddings[rows] @ model.item_embeddings[item])
    order = np.argsort(-terms, kind="stable")[:MAX_REASONS]
    return tuple(int(model.item_ids[rows[i]]) for i in order if terms[i] > 0)


def _history(user: User) -> tuple[dict[int, int], dict[int, str]]:
    """The user's ratings and list entries, in one query."""
    rated = Rating.objects.filter(user=user).values_list("anime_id", "score", Value("", output_field=CharField()))
    listed = ListEntry.objects.filter(user=user).values_list(
        "anime_id", Value(0, output_field=PositiveSmallIntegerField()), "status"
    )
    ratings: dict[int, int] = {}
    statuses: dict[int, str] = {}
    for anime_id, score, status in rated.order_by().union(listed.order_by(), all=True):
        if score:
            ratings[anime_id] = score
        else:
            statuses[anime_id] = status
    return ratings, statuses


def _why_unavailable(method: Method, model: Model | None) -> str:
    if model is None:
        return f"Method {method} needs a published model, and there is none yet."
    if isinstance(model, HistoryTowers):
        if method == Method.TWO_TOWER:
            return f"Method {method} needs a rating or a watched anime that the model knows."
        return f"Method {method} needs a model of the paper's family, and the published one is of another."
    if method == Method.TWO_TOWER:
        return f"Method {method} needs a user that the model was trained on. Use weighted_average or auto."
    return f"Method {method} needs a rating of at least one anime that the model knows."
