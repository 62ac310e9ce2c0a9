"""The paper's two steps for one person: the nearest cluster of anime, and the best unseen of it by weighted score."""

from functools import lru_cache

import numpy as np

from recommender.engine.paper.clusters import Clusters, best_of_nearest_cluster, weighted_scores_within
from recommender.serving.anime_arrays import CatalogueArrays
from recommender.serving.models.paper import PaperModel


def best_of_nearest(
    model: PaperModel, clusters: Clusters, anime: CatalogueArrays, barred: np.ndarray, average: np.ndarray, k: int
) -> dict[int, float]:
    """The best `k` items by row, best first, with their weighted scores; behind a cluster comes the next nearest.

    Args:
        barred: the model's items that must not come `[n_items]`.
        average: the person's weighted average of embeddings `[n_factors]`.
    """
    scores = _scores_within(model, clusters, anime)
    rows, values = best_of_nearest_cluster(clusters, average[None], scores, k, exclude=barred, fill=True)
    return {int(row): float(value) for row, value in zip(rows[0], values[0], strict=True) if row >= 0}


@lru_cache(maxsize=2)
def _scores_within(model: PaperModel, clusters: Clusters, anime: CatalogueArrays) -> np.ndarray:
    """The paper's weighted score of every item within its cluster `[n_items]`, 0 where the community has none."""
    positions = anime.positions(model.item_ids)
    known = positions >= 0
    rating, members = np.full(len(positions), np.nan), np.zeros(len(positions))
    rating[known], members[known] = anime.scores[positions[known]], anime.members[positions[known]]
    return np.nan_to_num(weighted_scores_within(clusters.labels, rating, members), nan=0.0)
