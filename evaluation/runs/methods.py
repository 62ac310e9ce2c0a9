"""The ways in which a trained run makes lists, as the protocol compares them: as the site serves them, and plain."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evaluation.offline.protocol import Histories, Lists, Method
from evaluation.paper.methods import by_score
from evaluation.runs.keys import BASELINE
from recommender.engine.dislikes import without_disliked
from recommender.engine.history import model as history_model
from recommender.engine.paper import unseen
from recommender.engine.retrieval import NO_ITEM, Floats, search, top_k
from recommender.serving import lists as serving
from recommender.serving.models.artifacts import Model
from recommender.serving.models.history import HistoryTowers
from recommender.serving.models.paper import PaperModel

_SERVED = {
    serving.Method.AUTO: ("As served", "What the site shows: the model's list, mixed as the site mixes it."),
    serving.Method.KMEANS: (
        "K-means, as served",
        "The nearest cluster's best by weighted score within it, then the next cluster's.",
    ),
    serving.Method.GMM: (
        "Gaussian mixture, as served",
        "The most probable component's best by weighted score within it, then the next component's.",
    ),
    serving.Method.POPULARITY: ("Cold start, as served", "The list of somebody of whom nothing is known."),
}


def run_methods(model: Model, item_ids: NDArray[np.int64], counts: NDArray[np.float64]) -> list[Method]:
    """Methods over the catalogue `item_ids` [n_items], sorted; `counts` are its ratings by training users [n_items]."""
    methods = [
        by_score(BASELINE, "Popularity", "The anime that most training users rated.", counts),
        _served(serving.Method.POPULARITY, model, item_ids),
        _served(serving.Method.AUTO, model, item_ids),
    ]
    if isinstance(model, HistoryTowers):
        methods.append(_by_history_scores(model, item_ids))
    else:
        methods.append(_by_euclidean_average(model, item_ids))
        if model.kmeans is not None:
            methods += [_served(name, model, item_ids) for name in (serving.Method.KMEANS, serving.Method.GMM)]
    return methods


def _served(name: serving.Method, model: Model, item_ids: NDArray[np.int64]) -> Method:
    """Through the function that answers site and API, adult titles included, which the ratings have as well."""

    def rank(fold_in: Histories, k: int) -> Lists:
        lists = np.full((fold_in.n_users, k), NO_ITEM, dtype=np.int64)
        for user in range(fold_in.n_users):
            own = slice(fold_in.indptr[user], fold_in.indptr[user + 1])
            rated = dict(zip(item_ids[fold_in.items[own]].tolist(), fold_in.ratings[own].tolist(), strict=True))
            found = np.array(_list_or_nothing(rated, k, name, model), dtype=np.int64)
            found = found[np.isin(found, item_ids)]  # the catalogue may have grown since it was read
            lists[user, : len(found)] = np.searchsorted(item_ids, found)
        return lists

    title, definition = _SERVED[name]
    return Method(name.value, title, definition, rank)


def _list_or_nothing(rated: dict[int, int], k: int, name: serving.Method, model: Model) -> list[int]:
    try:
        found = serving.recommend_for_ratings(rated, k=k, method=name, shows_adult=True, model=model)
    except serving.MethodUnavailable:
        return []  # none of what was folded in is known to the model
    return [item.anime_id for item in found.items]


def _by_history_scores(published: HistoryTowers, item_ids: NDArray[np.int64]) -> Method:
    model = published.model

    def rank(indptr: NDArray[np.int64], rows: NDArray[np.int64], ratings: NDArray[np.int8], k: int) -> Lists:
        scores = (
            history_model.user_vectors(model, *without_disliked(model, indptr, rows, ratings)) @ model.item_embeddings.T
        )
        return top_k(scores, k, (indptr, rows))[0]

    return Method(
        "two_tower",
        "Two-tower scores",
        "The anime with the highest dot product of user and item vector, without the rules that lists have.",
        _in_model_space(model.item_ids, item_ids, rank),
    )


def _by_euclidean_average(model: PaperModel, item_ids: NDArray[np.int64]) -> Method:
    items: Floats = np.asarray(model.item_embeddings)

    def rank(indptr: NDArray[np.int64], rows: NDArray[np.int64], ratings: NDArray[np.int8], k: int) -> Lists:
        users = unseen.weighted_averages(items, indptr, rows, ratings)
        return search(users, items, k, metric="euclidean", exclude=(indptr, rows))[0]

    return Method(
        "weighted_average_euclidean",
        "Weighted average, Euclidean",
        "The anime nearest to the mean of the rated anime's vectors, weighted by the ratings; the paper's.",
        _in_model_space(model.item_ids, item_ids, rank),
    )


def _in_model_space(
    model_ids: NDArray[np.int64], item_ids: NDArray[np.int64], rank: Callable[..., Lists]
) -> Callable[[Histories, int], Lists]:
    """Give `rank` histories of what the model knows, and bring its lists back; who has nothing it knows gets none."""
    positions = np.searchsorted(model_ids, item_ids).clip(max=len(model_ids) - 1)
    row_of = np.where(model_ids[positions] == item_ids, positions, -1)
    places = np.searchsorted(item_ids, model_ids).clip(max=len(item_ids) - 1)
    # What has left the catalogue since is taken out of the lists, which then have a gap at their end.
    item_of = np.append(np.where(item_ids[places] == model_ids, places, NO_ITEM), NO_ITEM)

    def in_catalogue(fold_in: Histories, k: int) -> Lists:
        rows = row_of[fold_in.items]
        users = np.repeat(np.arange(fold_in.n_users), np.diff(fold_in.indptr))[rows >= 0]
        known, lengths = np.unique(users, return_counts=True)
        lists = np.full((fold_in.n_users, k), NO_ITEM, dtype=np.int64)
        if not len(known):
            return lists
        ratings = fold_in.ratings[rows >= 0]
        found = item_of[rank(np.append(0, lengths.cumsum()), rows[rows >= 0], ratings, k)]
        gaps_last = np.argsort(found == NO_ITEM, axis=1, kind="stable")
        lists[known] = np.take_along_axis(found, gaps_last, axis=1)
        return lists

    return in_catalogue
