"""Recommendations for one person, from what the process holds in memory and what the database says of the person.

Three paths. A seen user has a row in the published model, one of the paper's family, and gets predicted ratings. An
unseen user has ratings that need no row: the history model's user tower, or the rating-weighted average of the rated
anime's vectors, makes a vector of them in the call. A cold start has neither, and gets the best of the community by
weighted score. Nothing here imports or trains anything.

What was dropped or rated low (`recommender.serving.tastes`) is in no history that the towers read and is no reason.
Nothing else of its franchise comes, unless the person liked another part. Who disliked all that the model knows gets
the best of the community, without what the model places nearest to the disliked. The paper's average weighs all
ratings, as it was published.

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

from catalog.models import ListEntry, ListStatus, Rating, User
from recommender.engine.history import model as history_model
from recommender.engine.paper.clusters import Clusters
from recommender.engine.paper.unseen import predicted_ratings, weighted_average
from recommender.serving.anime_arrays import CatalogueArrays, catalogue
from recommender.serving.candidates import RERANKED, Candidates
from recommender.serving.controls import NO_CONTROLS, Controls
from recommender.serving.models.artifacts import Model
from recommender.serving.models.clusters import best_of_nearest
from recommender.serving.models.history import HistoryTowers
from recommender.serving.models.paper import PaperModel
from recommender.serving.models.published import paper_model, published_model
from recommender.serving.tastes import Taste, community_mean, watched

MAX_K, MAX_OFFSET = 100, 500
#: How many of the rated anime a reason names.
MAX_REASONS = 2
#: How many of the anime nearest to what was disliked are left out for somebody who liked nothing so far.
AWAY_FROM_DISLIKED = 300

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
    #: Of a list of two models (`recommender.serving.interleaving`): the other one, and which of `items` are its, as 1.
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
        candidates.bar_extras({*ratings, *watched(statuses)})
    taste = Taste.of(ratings, statuses, community_mean(model, candidates.anime))
    planned = [anime for anime, status in statuses.items() if status == ListStatus.PLAN_TO_WATCH]
    candidates.bar(taste.disliked_franchises(candidates.anime), but=planned)
    found = None
    if isinstance(model, PaperModel):
        found = _by_paper_model(model, chosen, ratings, taste, user_id, candidates, k + offset)
    elif isinstance(model, HistoryTowers):
        found = _by_history(model, chosen, ratings, taste, candidates, k + offset)
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
    candidates = Candidates(anime or catalogue(), {anime_id}, shows_adult)
    return tuple(int(item_ids[row]) for row, _ in candidates.best_of(item_ids, _cosines(vectors, [row])[:, 0], k))


def _by_paper_model(
    model: PaperModel,
    chosen: Method,
    ratings: Mapping[int, int],
    taste: Taste,
    user_id: int | None,
    candidates: Candidates,
    k: int,
) -> RecommendationList | None:
    """By the paper's model: a seen user's predicted ratings, or an unseen user's weighted average or cluster."""
    known = [(row, score) for anime, score in ratings.items() if (row := model.item_row(anime)) is not None]
    rows, scores = np.array(known, dtype=np.int64).reshape(-1, 2).T
    user_row = model.user_row(user_id) if user_id is not None else None
    found = None
    clusters = {Method.KMEANS: model.kmeans, Method.GMM: model.gmm}.get(chosen)
    if user_row is not None and chosen in (Method.AUTO, Method.TWO_TOWER):
        found = _seen(model, user_row, candidates, k)
    elif known and chosen in (Method.AUTO, Method.WEIGHTED_AVERAGE):
        found = _unseen(model, rows, scores, candidates, k)
    elif known and clusters is not None:
        found = _nearest_cluster(model, chosen, clusters, rows, scores, candidates, k)
    if found is None:
        return None
    is_reason = np.isin(model.item_ids[rows], list(taste.rated))
    rows, scores = rows[is_reason], scores[is_reason]
    return replace(
        found, items=tuple(replace(item, because=_because(model, rows, scores, item.anime_id)) for item in found.items)
    )


def _by_history(
    published: HistoryTowers,
    chosen: Method,
    ratings: Mapping[int, int],
    taste: Taste,
    candidates: Candidates,
    k: int,
) -> RecommendationList | None:
    """By the history model: whoever has rated or watched something is a user vector away, trained on or not."""
    model = published.model
    if chosen not in (Method.AUTO, Method.TWO_TOWER):
        return None
    liked = _known_rows(model, taste.rated)
    rows = np.concatenate([liked, _known_rows(model, taste.watched)])
    if not len(rows):
        disliked = _known_rows(model, taste.disliked)
        if not len(disliked) or chosen != Method.AUTO:
            return None
        return _away_from(published, disliked, ratings, candidates, k)
    score_of = dict(
        candidates.mixed(
            model.item_ids,
            history_model.score_items(model, rows),
            k,
            vectors=model.item_embeddings,
            counts=model.rating_counts,
            franchises=candidates.franchises_of(model.item_ids),
        )
    )
    shown = np.fromiter(score_of, dtype=np.int64, count=len(score_of))
    predicted = _predicted(model, ratings, shown)
    reasons = history_model.explain(model, liked, shown, MAX_REASONS)
    items = tuple(
        Recommended(
            int(model.item_ids[row]), score_of[row], rating, tuple(int(model.item_ids[reason]) for reason in because)
        )
        for row, rating, because in zip(shown.tolist(), predicted, reasons, strict=True)
    )
    return RecommendationList(Path.UNSEEN, Method.TWO_TOWER, published.version, items)


def _away_from(
    published: HistoryTowers, disliked: np.ndarray, ratings: Mapping[int, int], candidates: Candidates, k: int
) -> RecommendationList:
    """The best of the community for somebody who liked nothing so far, without what is nearest to the disliked."""
    model = published.model
    nearness = _cosines(model.item_embeddings[:, :-1], disliked).max(axis=1)
    nearest = np.argsort(-nearness, kind="stable")[:AWAY_FROM_DISLIKED]
    positions = candidates.anime.positions(model.item_ids[nearest])
    candidates.barred[positions[positions >= 0]] = True
    found = _cold_start(candidates, k)
    rows = model.rows(np.array([item.anime_id for item in found.items], dtype=np.int64))
    predicted = _predicted(model, ratings, rows)
    items = tuple(
        replace(item, predicted_rating=rating if row >= 0 else None)
        for item, row, rating in zip(found.items, rows.tolist(), predicted, strict=True)
    )
    return RecommendationList(Path.UNSEEN, Method.POPULARITY, published.version, items)


def _predicted(model: history_model.HistoryModel, ratings: Mapping[int, int], shown: np.ndarray) -> list[float | None]:
    """How the person would rate the rows `shown`, by all that they rated, high and low; None without a rating."""
    rows = model.rows(np.fromiter(ratings, dtype=np.int64, count=len(ratings)))
    scores = np.fromiter(ratings.values(), dtype=np.float32, count=len(ratings))[rows >= 0]
    if not len(scores):
        return [None] * len(shown)
    predicted: list[float | None] = history_model.predict_ratings(model, rows[rows >= 0], scores, shown).tolist()
    return predicted


def _known_rows(model: history_model.HistoryModel, anime_ids: Collection[int]) -> np.ndarray:
    rows = model.rows(np.fromiter(anime_ids, dtype=np.int64, count=len(anime_ids)))
    return rows[rows >= 0]


def _cosines(vectors: np.ndarray, rows: np.ndarray | list[int]) -> np.ndarray:
    """Cosine of every vector with those of the `rows`, [n_items, len(rows)]."""
    norms = np.linalg.norm(vectors, axis=1)
    cosines: np.ndarray = vectors @ vectors[rows].T / np.maximum(np.outer(norms, norms[rows]), 1e-12)
    return cosines


def _seen(model: PaperModel, user_row: int, candidates: Candidates, k: int) -> RecommendationList:
    predicted = predicted_ratings(model.user_embeddings[user_row], model.item_embeddings)
    # Ordered by the unclipped score, so that those predicted at the top of the scale are still told apart.
    order = model.item_embeddings @ model.user_embeddings[user_row]
    items = tuple(
        Recommended(int(model.item_ids[row]), score, float(predicted[row]))
        for row, score in candidates.mixed(model.item_ids, order, k, vectors=model.item_embeddings)
    )
    return RecommendationList(Path.SEEN, Method.TWO_TOWER, model.version, items)


def _unseen(
    model: PaperModel, rows: np.ndarray, scores: np.ndarray, candidates: Candidates, k: int
) -> RecommendationList:
    scores_by_average = model.item_embeddings @ weighted_average(model.item_embeddings, rows, scores)
    items = tuple(
        Recommended(int(model.item_ids[row]), score)
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
        Recommended(int(model.item_ids[row]), score_of[row])
        for row, _ in candidates.mixed(model.item_ids, order, k, vectors=model.item_embeddings)
    )
    return RecommendationList(Path.UNSEEN, chosen, model.version, items)


def _cold_start(candidates: Candidates, k: int) -> RecommendationList:
    anime = candidates.anime
    genres = anime.genres.astype(np.float32)
    best = candidates.mixed(anime.ids, anime.weighted_scores, k, vectors=genres, franchises=anime.franchises)
    items = tuple(Recommended(int(anime.ids[row]), score) for row, score in best)
    return RecommendationList(Path.COLD_START, Method.POPULARITY, None, items)


def _because(model: PaperModel, rows: np.ndarray, scores: np.ndarray, anime_id: int) -> tuple[int, ...]:
    """Those of the rated `rows` that weigh most: terms of the weighted average's dot product with the anime."""
    terms = scores * (model.item_embeddings[rows] @ model.item_embeddings[model.item_row(anime_id)])
    order = np.argsort(-terms, kind="stable")[:MAX_REASONS]
    return tuple(int(model.item_ids[rows[i]]) for i in order if terms[i] > 0)


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
        return f"Method {method} needs an anime that the model knows, rated or watched and not disliked."
    if method in (Method.KMEANS, Method.GMM) and model.kmeans is None:
        return (
            f"Method {method} needs clusters, and {model.version} was trained without. Train the paper's model again."
        )
    if method == Method.TWO_TOWER:
        return f"Method {method} needs a user that the model was trained on. Use weighted_average or auto."
    return f"Method {method} needs a rating of at least one anime that the model knows."
