"""Recommenders to compare with. A method fits `Task.ratings` and scores every item for the rows of `Task.fold_in`.

Every method is a function `(task, **setting) -> Scored`; `METHODS` has each with the settings its search tries.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import numpy as np
from scipy import sparse

from recommender.engine.history.content import ItemContent
from recommender.engine.ratings import RatingMatrix


@dataclass(frozen=True)
class Task:
    """What a method may see.

    `ratings` [n_users, n_items] holds the ratings of training users, `unrated` [n_users, n_items] ones where they
    watched without rating, `fold_in` [n_cases, n_items] the ratings to recommend from. `interactions` and `content`
    are the same as the product has them, with everything but held-out users. Columns are `item_ids`.
    """

    ratings: sparse.csr_matrix
    unrated: sparse.csr_matrix
    fold_in: sparse.csr_matrix
    item_ids: np.ndarray
    interactions: RatingMatrix
    content: ItemContent

    def watched(self, unrated_weight=0.0):
        """Ones where training users rated, and `unrated_weight` where they watched alone, float32."""
        return (as_ones(self.ratings) + unrated_weight * self.unrated).tocsr().astype(np.float32)


@dataclass(frozen=True)
class Scored:
    """Scores `[n_cases, n_items]`, when fitting ended (`time.perf_counter`), and bytes needed to serve."""

    scores: np.ndarray
    fitted_at: float
    model_bytes: int


@dataclass(frozen=True)
class Method:
    run: Callable[..., Scored]
    title: str
    settings: tuple[Mapping[str, float], ...]


def as_ones(matrix):
    ones = matrix.copy().astype(np.float32)
    ones.data[:] = 1
    return ones


def _grid(**choices):
    """Every combination of the choices."""
    settings = [{}]
    for name, values in choices.items():
        settings = [{**setting, name: value} for setting in settings for value in values]
    return tuple(settings)


def _lazy(module, name, *args, **setting):
    return getattr(import_module(f"benchmarks.peers.{module}"), name)(*args, **setting)


def _method(module, name, title, settings=({},)):
    return Method(partial(_lazy, module, name), title, settings)


METHODS = {
    "popularity": _method("linear", "popularity", "popularity"),
    "item_knn": _method("linear", "item_knn", "item-kNN", _grid(neighbours=(50, 200), shrinkage=(10, 100))),
    "ease": _method("linear", "ease", "EASE-R", _grid(l2=(100, 200, 400), unrated_weight=(0.0, 0.5))),
    "edlae": _method("linear", "edlae", "EDLAE, full rank", _grid(l2=(50, 150), dropout=(0.33, 0.5))),
    "ials": _method("factors", "ials", "iALS (implicit)", _grid(factors=(64, 128, 256), regularisation=(5, 15, 50))),
    "bpr": _method("factors", "bpr", "BPR (implicit)", _grid(factors=(64, 128), regularisation=(0.01, 0.03))),
    "warp": _method("factors", "warp", "WARP (LightFM)", _grid(factors=(64, 128), regularisation=(0.0, 1e-5))),
    "elsa": _method("neural", "elsa", "ELSA", _grid(dropout=(0.0, 0.3), epochs=(8, 20))),
    "mult_vae": _method("neural", "mult_vae", "Mult-VAE", _grid(hidden=(200, 600), epochs=(15, 30))),
    "paper_dot": _method("towers", "paper_dot", "paper, weighted average, dot product"),
    "paper_euclidean": _method("towers", "paper_euclidean", "paper, weighted average, Euclidean"),
    "history": _method("towers", "history", "HistoryTwoTower (ours)", _grid(temperature=(20.0, 30.0), epochs=(12, 24))),
}
