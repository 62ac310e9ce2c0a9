"""Popularity, neighbours, and linear item-item models."""

import time

import numpy as np

from benchmarks.peers import Scored, as_ones
from recommender.engine.history import teacher


def popularity(task):
    counts = np.asarray(task.watched().sum(axis=0)).ravel()
    return Scored(np.tile(counts, (task.fold_in.shape[0], 1)), time.perf_counter(), counts.nbytes)


def item_knn(task, *, neighbours, shrinkage):
    """Sum of the shrunk cosines to the rated items, of each item's nearest `neighbours` (Deshpande, Karypis, 2004)."""
    products = teacher.gram(task.watched())
    norms = np.sqrt(np.diag(products))
    similarity = products / (norms[:, None] * norms + shrinkage)
    np.fill_diagonal(similarity, 0)
    threshold = np.partition(similarity, -neighbours, axis=0)[-neighbours]
    similarity[similarity < threshold] = 0
    fitted = time.perf_counter()
    return Scored(as_ones(task.fold_in) @ similarity, fitted, int((similarity > 0).sum()) * 8)


def ease(task, *, l2, unrated_weight):
    """EASE-R (Steck, 2019)."""
    products = teacher.gram(task.watched(unrated_weight))
    return _linear(task, teacher.item_weights(products, np.full(len(products), l2)))


def edlae(task, *, l2, dropout):
    """EDLAE (Steck, 2020), which has twenty-eight times the parameters that two towers of 256 have."""
    products = teacher.gram(task.watched(0.5))
    ridge = l2 + dropout / (1 - dropout) * np.diag(products)
    return _linear(task, teacher.item_weights(products, ridge))


def _linear(task, weights):
    fitted = time.perf_counter()
    return Scored(as_ones(task.fold_in) @ weights, fitted, weights.nbytes)
