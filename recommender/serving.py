"""Recommendations for one person, from what the process holds in memory and what the database says of the person.

Three paths. A seen user has a row in the published model, one of the paper's family, and gets predicted ratings. An
unseen user has ratings that need no row: the history model's user tower, or the rating-weighted average of the rated
anime's vectors, makes a vector of them in the call. A cold start has neither, and gets the best of the community by
weighted score. Nothing here imports or trains anything.

The paper's methods for unseen users can be asked for by name whichever model is published: they are served by the last
model of its family.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db.models import CharField, PositiveSmallIntegerField, Value
from prometheus_client import Counter

from catalog.histories import WATCHED
from catalog.models import ListEntry, ListStatus, Rating, User
from recommender.candidates import RERANKED, Candidates
from recommender.catalogue import CatalogueArrays, catalogue
from recommender.cluster_lists import best_of_nearest
from recommender.controls import NO_CONTROLS, Controls
from recommender.engine import towers
from recommender.engine.clusters import Clusters
from recommender.engine.unseen import predicted_ratings, weighted_average
from recommender.published import HistoryTowers, Model, PaperModel, paper_model, published_model

MAX_K, MAX_OFFSET = 100, 500
#: How many of the rated anime a reason names.
MAX_REASONS = 2

LISTS = Counter("recsite_lists_total", "Lists made, by the path taken and the method.", ["path", "method"])


class Path(StrEnum):
    SEEN = "seen"
    UNSEEN = "unseen"
    COLD_START = "cold_start"


class Method(StrEnum):
    AUTO = "auto"
    TWO_TOWER = "two_tower"
    WEIGHTED_AVERAGE = "weighted_average"
    KMEANS = "kmeans"
    GMM = "gmm"
    POPULARITY = "popularity"


METHODS = tuple(Method)
PAPER_METHODS = (Method.WEIGHTED_AVERAGE, Method.KMEANS, Method.GMM)


class MethodUnavailable(ValueError):
    """The method asked for needs a model or ratings that are not there; the message says which."""


@dataclass(frozen=True)
class Recommended:
    """One anime of a list. `score` is what the list is ordered by, with clusters after the nearness of the cluster;
    its scale is the method's own."""

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
    #: How many better ones come before `items`.
    offset: int = 0
    #: Of a list of two models (`recommender.interleaving`): the other one, and which of `items` are its, as 1.
    rival_version: str | None = None
    teams: tuple[int, ...] = ()


def recommend(
    user: User | AnonymousUser,
    *,
    k: int = 20,
    offset: int = 0,
    method: str = Method.AUTO,
    controls: Controls = NO_CONTROLS,
) -> RecommendationList:
    """The `k` best anime for `user` behind the first `offset`, without what they rated, listed or dismissed.

    Raises MethodUnavailable unless `method` is "auto".
    """
    if not isinstance(user, User):
        return recommend_for_ratings({}, k=k, offset=offset, method=method, controls=controls)
    ratings, statuses = history(user)
    return recommend_for_ratings(
        ratings,
        k=k,
        offset=offset,
        method=method,
        controls=controls,
        shows_adult=user.shows_adult,
        statuses=statuses,
        user_id=user.pk,
    )


def recommend_for_ratings(
    ratings: Mapping[int, int],
    *,
    k: int = 20,
    offset: int = 0,
    method: str = Method.AUTO,
    controls: Controls = NO_CONTROLS,
    shows_adult: bool = False,
    statuses: Mapping[int, str] | None = None,
    exclude: Collection[int] = (),
    user_id: int | None = None,
    model: Model | None = None,
    anime: CatalogueArrays | None = None,
) -> RecommendationList:
    """The same for somebody whose ratings, anime id to score, and list, anime id to status, come with the call.

    By `model` where one is given, and not by the published one; `anime` is the catalogue, where the caller has it.
    """
    k, offset = max(1, min(k, MAX_K)), max(0, min(offset, MAX_OFFSET))
    statuses = statuses or {}
    chosen = Method(method)
    by_popularity = chosen == Method.POPULARITY
    if chosen in PAPER_METHODS:
        # By the model that was given if it is of the paper's family, and else by the one that there is of it.
        model = model if isinstance(model, PaperModel) else paper_model()
    elif by_popularity:
        model = None
    else:
        model = model or published_model()
    excluded = {*ratings, *exclude, *(anime for anime, status in statuses.items() if _stays_out(status, controls))}
    candidates = Candidates(anime or catalogue(), excluded, shows_adult, controls)
    if not controls.sequels:
        franchises = candidates.anime.titles
        if isinstance(model, HistoryTowers):
            franchises = candidates.anime.franchises(model.model.item_ids, model.model.franchises)
        candidates.bar_sequels({*ratings, *_watched(statuses)}, franchises)
    found = None
    if isinstance(model, PaperModel):
        found = _by_paper_model(model, chosen, ratings, user_id, candidates, k + offset)
    elif isinstance(model, HistoryTowers):
        found = _by_history(model, chosen, ratings, statuses, candidates, k + offset)
    if found is None and not by_popularity and chosen != Method.AUTO:
        raise MethodUnavailable(_why_unavailable(chosen, model))
    found = found or _cold_start(candidates, k + offset)
    LISTS.labels(found.path, found.method).inc()
    return replace(found, items=found.items[offset:], offset=offset)


def similar(
    anime_id: int,
    *,
    k: int = 12,
    shows_adult: bool = False,
    model: Model | None = None,
    anime: CatalogueArrays | None = None,
) -> tuple[int, ...]:
    """The `k` anime whose vectors point most nearly where this one's does; none when the model does not know it.

    `model` and `anime` are the published model and the catalogue, where the caller has them already.
    """
    published = model or published_model()
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
    candidates = Candidates(anime or catalogue(), {anime_id}, shows_adult)
    return tuple(int(item_ids[row]) for row, _ in candidates.best_of(item_ids, cosines, k))


def _by_paper_model(
    model: PaperModel,
    chosen: Method,
    ratings: Mapping[int, int],
    user_id: int | None,
    candidates: Candidates,
    k: int,
) -> RecommendationList | None:
    """By the paper's model: a seen user's predicted ratings, or an unseen user's weighted average or cluster."""
    known = [(row, score) for anime, score in ratings.items() if (row := model.item_row(anime)) is not None]
    rows, scores = np.array(known, dtype=np.int64).reshape(-1, 2).T
    user_row = model.user_row(user_id) if user_id is not None else None
    if user_row is not None and chosen in (Method.AUTO, Method.TWO_TOWER):
        return _seen(model, user_row, rows, scores, candidates, k)
    if known and chosen in (Method.AUTO, Method.WEIGHTED_AVERAGE):
        return _unseen(model, rows, scores, candidates, k)
    clusters = {Method.KMEANS: model.kmeans, Method.GMM: model.gmm}.get(chosen)
    if known and clusters is not None:
        return _nearest_cluster(model, chosen, clusters, rows, scores, candidates, k)
    return None


def _by_history(
    published: HistoryTowers,
    chosen: Method,
    ratings: Mapping[int, int],
    statuses: Mapping[int, str],
    candidates: Candidates,
    k: int,
) -> RecommendationList | None:
    """By the history model: whoever has rated or watched something is a user vector away, trained on or not."""
    model = published.model
    rated = model.rows(np.fromiter(ratings, dtype=np.int64, count=len(ratings)))
    scores = np.fromiter(ratings.values(), dtype=np.float32, count=len(ratings))[rated >= 0]
    rated = rated[rated >= 0]
    watched = [anime for anime in _watched(statuses) if anime not in ratings]
    rows = np.concatenate([rated, model.rows(np.array(watched, dtype=np.int64))])
    rows = rows[rows >= 0]
    if not len(rows) or chosen not in (Method.AUTO, Method.TWO_TOWER):
        return None
    score_of = dict(
        candidates.mixed(
            model.item_ids,
            towers.score_items(model, rows),
            k,
            vectors=model.item_embeddings,
            counts=model.rating_counts,
            franchises=model.franchises,
        )
    )
    shown = np.fromiter(score_of, dtype=np.int64, count=len(score_of))
    predicted = towers.predict_ratings(model, rated, scores, shown).tolist()
    reasons = towers.explain(model, rated, shown, MAX_REASONS)
    items = tuple(
        Recommended(
            int(model.item_ids[row]),
            score_of[row],
            rating if len(rated) else None,
            tuple(int(model.item_ids[reason]) for reason in because),
        )
        for row, rating, because in zip(shown.tolist(), predicted, reasons, strict=True)
    )
    return RecommendationList(Path.UNSEEN, Method.TWO_TOWER, published.version, items)


def _seen(
    model: PaperModel, user_row: int, rows: np.ndarray, scores: np.ndarray, candidates: Candidates, k: int
) -> RecommendationList:
    predicted = predicted_ratings(model.user_embeddings[user_row], model.item_embeddings)
    # Ordered by the unclipped score, so that those predicted at the top of the scale are still told apart.
    order = model.item_embeddings @ model.user_embeddings[user_row]
    items = tuple(
        Recommended(int(model.item_ids[row]), score, float(predicted[row]), _because(model, rows, scores, row))
        for row, score in candidates.mixed(model.item_ids, order, k, vectors=model.item_embeddings)
    )
    return RecommendationList(Path.SEEN, Method.TWO_TOWER, model.version, items)


def _unseen(
    model: PaperModel, rows: np.ndarray, scores: np.ndarray, candidates: Candidates, k: int
) -> RecommendationList:
    scores_by_average = model.item_embeddings @ weighted_average(model.item_embeddings, rows, scores)
    items = tuple(
        Recommended(int(model.item_ids[row]), score, None, _because(model, rows, scores, row))
        for row, score in candidates.mixed(model.item_ids, scores_by_average, k, vectors=model.item_embeddings)
    )
    return RecommendationList(Path.UNSEEN, Method.WEIGHTED_AVERAGE, model.version, items)


def _nearest_cluster(
    model: PaperModel,
    chosen: Method,
    clusters: Clusters,
    rows: np.ndarray,
    scores: np.ndarray,
    candidates: Candidates,
    k: int,
) -> RecommendationList:
    average = weighted_average(model.item_embeddings, rows, scores)
    barred = candidates.barred_of(model.item_ids)
    score_of = best_of_nearest(model, clusters, candidates.anime, barred, average, max(RERANKED, k))
    # Scores of different clusters do not compare, so that what the controls mix is the order.
    order = np.full(len(barred), -np.inf)
    order[list(score_of)] = np.arange(len(score_of), 0, -1)
    items = tuple(
        Recommended(int(model.item_ids[row]), score_of[row], None, _because(model, rows, scores, row))
        for row, _ in candidates.mixed(model.item_ids, order, k, vectors=model.item_embeddings)
    )
    return RecommendationList(Path.UNSEEN, chosen, model.version, items)


def _cold_start(candidates: Candidates, k: int) -> RecommendationList:
    anime = candidates.anime
    genres = anime.genres.astype(np.float32)
    best = candidates.mixed(anime.ids, anime.weighted_scores, k, vectors=genres)
    items = tuple(Recommended(int(anime.ids[row]), score) for row, score in best)
    return RecommendationList(Path.COLD_START, Method.POPULARITY, None, items)


def _because(model: PaperModel, rows: np.ndarray, scores: np.ndarray, item: int) -> tuple[int, ...]:
    """The rated anime that weigh most: the terms of the weighted average's dot product with the item, largest first."""
    terms = scores * (model.item_embeddings[rows] @ model.item_embeddings[item])
    order = np.argsort(-terms, kind="stable")[:MAX_REASONS]
    return tuple(int(model.item_ids[rows[i]]) for i in order if terms[i] > 0)


def _watched(statuses: Mapping[int, str]) -> list[int]:
    return [anime for anime, status in statuses.items() if status in WATCHED]


def _stays_out(status: str, controls: Controls) -> bool:
    return controls.hide_listed or status != ListStatus.PLAN_TO_WATCH


def history(user: User) -> tuple[dict[int, int], dict[int, str]]:
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
        needed = "trained model of the paper's family" if method in PAPER_METHODS else "published model"
        return f"Method {method} needs a {needed}, and there is none yet."
    if isinstance(model, HistoryTowers):
        return f"Method {method} needs a rating or a watched anime that the model knows."
    if method in (Method.KMEANS, Method.GMM) and model.kmeans is None:
        return (
            f"Method {method} needs clusters, and {model.version} was trained without. Train the paper's model again."
        )
    if method == Method.TWO_TOWER:
        return f"Method {method} needs a user that the model was trained on. Use weighted_average or auto."
    return f"Method {method} needs a rating of at least one anime that the model knows."
