"""The history two-tower model at serving time: user vectors, scores, predicted ratings and reasons, in numpy alone.

A history is given as rows of the model: the anime that a person rated or watched, each once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommender.engine.ratings import MAX_RATING, MIN_RATING

FAMILY = "history"
#: Ratings that a bias is shrunk by, and the variance of a rating around its prediction (docs/quality.md).
SHRINKAGE = 4.0
NOISE_VARIANCE = 1.3
Rows = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RatingHead:
    """A rating is predicted as `mean + user bias + item_biases[item] + user factors . embeddings[item]`.

    Attributes:
        mean: of all ratings.
        item_biases: `[n_items]`, 0 for an item without ratings.
        embeddings: `[n_items, factors]`.
        variances: `[n_items, factors]`, how uncertain each entry of the embeddings is.
    """

    mean: float
    item_biases: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    variances: NDArray[np.float32]


@dataclass(frozen=True)
class HistoryModel:
    """Both towers and the rating head, as arrays in memory.

    Attributes:
        item_ids: `[n_items]` int64, sorted: the whole catalogue.
        item_embeddings: `[n_items, factors]`, the item tower; the last factor is popularity.
        history_embeddings: `[n_items, factors]`, what an anime in a history adds to the user vector; the last is 0.
        short_history_embeddings: `[n_items, factors]`, what it adds besides, divided by the history's length squared;
            the last is 0.
        rating_counts: `[n_items]` int32, ratings of each item in training; 0 where the vectors come from content.
        rating_head: predicts ratings.
    """

    item_ids: NDArray[np.int64]
    item_embeddings: Floats
    history_embeddings: Floats
    short_history_embeddings: Floats
    rating_counts: NDArray[np.int32]
    rating_head: RatingHead

    @classmethod
    def build(
        cls,
        *,
        item_ids: NDArray[Any],
        item_embeddings: NDArray[Any],
        history_embeddings: NDArray[Any],
        short_history_embeddings: NDArray[Any],
        rating_counts: NDArray[Any],
        rating_head: RatingHead,
    ) -> Self:
        return cls(
            np.asarray(item_ids, dtype=np.int64),
            np.ascontiguousarray(item_embeddings, dtype=np.float32),
            np.ascontiguousarray(history_embeddings, dtype=np.float32),
            np.ascontiguousarray(short_history_embeddings, dtype=np.float32),
            np.asarray(rating_counts, dtype=np.int32),
            rating_head,
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of an artifact; vectors are float16, which costs no accuracy that can be measured."""
        return {
            "item_ids": self.item_ids,
            "item_embeddings": self.item_embeddings.astype(np.float16),
            "history_embeddings": self.history_embeddings.astype(np.float16),
            "short_history_embeddings": self.short_history_embeddings.astype(np.float16),
            "rating_counts": self.rating_counts,
            "rating_mean": np.array([self.rating_head.mean], dtype=np.float32),
            "rating_item_biases": self.rating_head.item_biases,
            "rating_embeddings": self.rating_head.embeddings.astype(np.float16),
            "rating_variances": self.rating_head.variances.astype(np.float16),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The model from an artifact's arrays. Vectors become float32, on which BLAS works.

        An artifact without `short_history_embeddings` was written before there were any, and adds nothing for them.

        Raises:
            KeyError: an array is missing.
        """
        head = RatingHead(
            mean=float(arrays["rating_mean"][0]),
            item_biases=np.asarray(arrays["rating_item_biases"], dtype=np.float32),
            embeddings=np.asarray(arrays["rating_embeddings"], dtype=np.float32),
            variances=np.asarray(arrays["rating_variances"], dtype=np.float32),
        )
        names = ("item_ids", "item_embeddings", "history_embeddings", "rating_counts")
        short = arrays.get("short_history_embeddings")
        return cls.build(
            **{name: arrays[name] for name in names},
            short_history_embeddings=np.zeros_like(arrays["history_embeddings"]) if short is None else short,
            rating_head=head,
        )

    @property
    def factors(self) -> int:
        return int(self.item_embeddings.shape[1])

    def rows(self, item_ids: NDArray[Any]) -> NDArray[np.int64]:
        """The row of each id `[n]`, -1 where the model does not have it."""
        if not len(self.item_ids):
            return np.full(len(item_ids), -1, dtype=np.int64)
        rows = np.searchsorted(self.item_ids, item_ids).clip(max=len(self.item_ids) - 1)
        return np.where(self.item_ids[rows] == item_ids, rows, -1)


def user_vector(model: HistoryModel, history: Rows) -> Floats:
    """The user tower `[factors]` for the rows of a history `[n]`; of an empty one, what ranks by popularity."""
    vector: Floats = added_vectors(model, history).sum(axis=0)
    vector[-1] = max(len(history), 1) ** -0.5
    return vector


def added_vectors(model: HistoryModel, history: Rows) -> Floats:
    """What each anime of a history adds to the user vector `[n, factors]`."""
    short = model.short_history_embeddings[history] / np.float32(max(len(history), 1) ** 2)
    added: Floats = model.history_embeddings[history] + short
    return added


def user_vectors(model: HistoryModel, indptr: Rows, history: Rows) -> Floats:
    """User vectors `[n_users, factors]` of histories as CSR: user u's rows are `history[indptr[u]:indptr[u + 1]]`."""
    vectors = [user_vector(model, history[start:stop]) for start, stop in pairwise(indptr)]
    return np.array(vectors, dtype=np.float32).reshape(-1, model.factors)


def score_items(model: HistoryModel, history: Rows) -> Floats:
    """The score of every item `[n_items]`, higher is better; those of the history are to be left out by the caller."""
    scores: Floats = model.item_embeddings @ user_vector(model, history)
    return scores


def contributions(model: HistoryModel, history: Rows, items: Rows) -> Floats:
    """What each anime of the history adds to the score of each item `[n_items, n]`.

    Exact: the row of an item sums to its score, less its popularity's part (the product of the last factors).
    """
    added: Floats = model.item_embeddings[items] @ added_vectors(model, history).T
    return added


def explain(model: HistoryModel, history: Rows, items: Rows, n: int = 2) -> list[tuple[int, ...]]:
    """For each item the up to `n` rows of the history that add most to its score, most first; only what adds."""
    added = contributions(model, history, items)
    order = np.argsort(-added, axis=1, kind="stable")[:, :n]
    return [
        tuple(int(history[place]) for place in places if row[place] > 0)
        for row, places in zip(added, order, strict=True)
    ]


def predict_ratings(model: HistoryModel, history: Rows, ratings: NDArray[Any], items: Rows | None = None) -> Floats:
    """The rating that the user would give each item, from 1 to 10, by the ratings `[n]` of a history.

    Returns:
        `[n_items]`, or of `items` alone `[len(items)]`.
    """
    head = model.rating_head
    bias = 0.0
    vector = np.zeros(head.embeddings.shape[1], dtype=np.float32)
    if len(history):
        left = np.asarray(ratings, dtype=np.float32) - head.mean - head.item_biases[history]
        bias = float(left.sum() / (len(left) + SHRINKAGE))
        known = head.embeddings[history]
        precision = (known.T @ known + np.diag(head.variances[history].sum(axis=0))) / NOISE_VARIANCE
        precision[np.diag_indices(len(vector))] += 1
        vector = np.linalg.solve(precision, known.T @ (left - bias) / NOISE_VARIANCE)
    chosen = slice(None) if items is None else items
    predicted: Floats = head.mean + bias + head.item_biases[chosen] + head.embeddings[chosen] @ vector
    return predicted.clip(MIN_RATING, MAX_RATING)
