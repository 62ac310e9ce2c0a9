"""Beginning the distillation of the history model's towers where a model before it ended."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.model import HistoryModel
from recommender.engine.ratings import UNRATED, RatingMatrix

#: The share of a cold training's epochs that are enough; `benchmarks/warm_start.py` measures it.
EPOCHS_SHARE = 1 / 3
#: Of the ratings that the model learnt from so many may be gone: people change their minds, and leave.
MAX_GONE = 0.01
#: Of the entries of an anime that the model does not know.
NOISE = 0.01


def can_continue(model: HistoryModel, ratings: RatingMatrix, config: HistoryConfig) -> bool:
    """Whether `model` has vectors of the same length and all that it learnt from is still in `ratings`, nearly."""
    if model.factors != config.factors or not len(ratings):
        return False
    counts = np.bincount(ratings.items[ratings.ratings != UNRATED], minlength=ratings.n_items)
    places = np.searchsorted(ratings.item_ids, model.item_ids).clip(max=max(ratings.n_items - 1, 0))
    is_there = ratings.item_ids[places] == model.item_ids
    now = np.where(is_there, counts[places], 0)
    gone = np.maximum(model.rating_counts - now, 0).sum()
    return bool(gone <= MAX_GONE * model.rating_counts.sum())


def shortened(config: HistoryConfig) -> HistoryConfig:
    """The configuration of a training that continues: fewer epochs, all else the same."""
    return replace(config, epochs=max(1, round(config.epochs * EPOCHS_SHARE)))


def parameters(model: HistoryModel, item_ids: NDArray[np.int64], *, seed: int) -> dict[str, NDArray[np.float32]]:
    """`inputs` and `outputs` [n_items, factors - 1] of the items as the model has them; of others, noise."""
    rows = model.rows(item_ids)
    rng = np.random.default_rng(seed)
    found = {}
    for name, vectors in (("inputs", model.history_embeddings), ("outputs", model.item_embeddings)):
        noise = rng.normal(0, NOISE, (len(item_ids), model.factors - 1))
        found[name] = np.where((rows >= 0)[:, None], vectors[rows, :-1], noise).astype(np.float32)
    return found
