"""The models that are served, mapped into this process and exchanged as soon as others take their place."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from django.db.models import BooleanField, ExpressionWrapper, Q

from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.engine.clusters import GaussianMixtureClusters, KMeansClusters
from recommender.engine.towers import HistoryModel
from recommender.models import TrainingRun

logger = logging.getLogger(__name__)

#: What the names of their arrays begin with in an artifact.
KMEANS, GMM = "kmeans_", "gmm_"
#: The array of an artifact with the ids of the people that its training left out.
HELD_OUT = "held_out_user_ids"


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


@dataclass(frozen=True)
class HistoryTowers:
    """A model of the history family."""

    version: str
    model: HistoryModel


Model = PaperModel | HistoryTowers


def load(run: TrainingRun) -> Model:
    """The model of a run, its files mapped. Raises ArtifactError, or KeyError when an array is missing."""
    # The hashes were checked when the model was published; a request does not wait for that again.
    arrays = load_artifact(run.artifact_path, verify=False).arrays
    if run.family == TrainingRun.Family.HISTORY:
        return HistoryTowers(run.version, HistoryModel.from_arrays(arrays))
    return PaperModel.from_arrays(run.version, arrays)


def is_readable(run: TrainingRun) -> bool:
    """Whether this version of the code can serve the run's model."""
    try:
        load(run)
    except (ArtifactError, KeyError):
        return False
    return True


class _Mapped:
    """One model that this process holds, and the run whose files could not be read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loaded: Model | None = None
        self.refused: str | None = None

    def of(self, run: TrainingRun | None) -> Model | None:
        """The run's model, opened when it is not the one that is held; None when it cannot be read."""
        if run is None:
            return None
        loaded = self.loaded
        if loaded is not None and loaded.version == run.version:
            return loaded
        with self.lock:
            if self.loaded is not None and self.loaded.version == run.version:
                return self.loaded
            if self.refused == run.version:
                return None
            try:
                self.loaded = load(run)
            except (ArtifactError, KeyError) as error:
                logger.error("The model %s cannot be read, serving without it: %s", run.version, error)
                self.refused = run.version
                return None
            return self.loaded

    def forget(self) -> None:
        with self.lock:
            self.loaded = self.refused = None


_published, _paper = _Mapped(), _Mapped()


def published_model() -> Model | None:
    """The model that is published now, or None when there is none or its files cannot be read.

    One query a call; the files are opened when the answer differs from the model that is mapped.
    """
    return _published.of(TrainingRun.objects.published().only("pk", "key", "family").first())


def paper_model() -> PaperModel | None:
    """The model by which the paper's methods are served: the published one, or else the last of the paper's family.

    None when there is none of that family or its files cannot be read. One query.
    """
    runs = TrainingRun.objects.with_model().filter(family=TrainingRun.Family.PAPER)
    is_published = ExpressionWrapper(Q(state=TrainingRun.State.PUBLISHED), output_field=BooleanField())
    model = _paper.of(runs.only("pk", "key", "family").order_by(is_published.desc(), "-pk").first())
    return model if isinstance(model, PaperModel) else None


def forget() -> None:
    """Unmap the models, so that the next call opens them again."""
    _published.forget()
    _paper.forget()
