"""A model of the paper's family, as it is served."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.engine.paper.clusters import GaussianMixtureClusters, KMeansClusters

#: What the names of their arrays begin with in an artifact.
KMEANS, GMM = "kmeans_", "gmm_"


@dataclass(frozen=True, eq=False)
class PaperModel:
    """A model of the paper's family: who and what it knows, and where they lie.

    `user_ids` [n_users] and `item_ids` [n_items] are sorted; row i of `user_embeddings` [n_users, factors] and of
    `item_embeddings` [n_items, factors] belongs to id i. All are read-only maps of the artifact's files. `kmeans` and
    `gmm` are clusters of the items, None in a model that was trained without.
    """

    version: str
    user_ids: np.ndarray
    item_ids: np.ndarray
    user_embeddings: np.ndarray
    item_embeddings: np.ndarray
    kmeans: KMeansClusters | None = None
    gmm: GaussianMixtureClusters | None = None

    @classmethod
    def from_arrays(cls, version: str, arrays: Mapping[str, np.ndarray]) -> "PaperModel":
        """Raises KeyError when an array is missing."""
        has_clusters = f"{KMEANS}labels" in arrays
        return cls(
            version,
            user_ids=arrays["user_ids"],
            item_ids=arrays["item_ids"],
            user_embeddings=arrays["user_embeddings"],
            item_embeddings=arrays["item_embeddings"],
            kmeans=KMeansClusters.from_arrays(arrays, KMEANS) if has_clusters else None,
            gmm=GaussianMixtureClusters.from_arrays(arrays, GMM) if has_clusters else None,
        )

    def user_row(self, user_id: int) -> int | None:
        row = int(np.searchsorted(self.user_ids, user_id))
        return row if row < len(self.user_ids) and self.user_ids[row] == user_id else None

    def item_row(self, anime_id: int) -> int | None:
        row = int(np.searchsorted(self.item_ids, anime_id))
        return row if row < len(self.item_ids) and self.item_ids[row] == anime_id else None
