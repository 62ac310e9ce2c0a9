"""The published model, mapped into this process and exchanged as soon as another is published."""

import logging
import threading
from dataclasses import dataclass

import numpy as np

from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.engine.towers import HistoryModel
from recommender.models import TrainingRun

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PaperModel:
    """A model of the paper's family: who and what it knows, and where they lie.

    `user_ids` [n_users] and `item_ids` [n_items] are sorted; row i of `user_embeddings` [n_users, factors] and of
    `item_embeddings` [n_items, factors] belongs to id i. All are read-only maps of the artifact's files.
    """

    version: str
    user_ids: np.ndarray
    item_ids: np.ndarray
    user_embeddings: np.ndarray
    item_embeddings: np.ndarray

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

_lock = threading.Lock()
_loaded: Model | None = None
_refused: str | None = None


def published_model() -> Model | None:
    """The model that is published now, or None when there is none or its files cannot be read.

    One query a call; the files are opened when the answer differs from the model that is mapped.
    """
    run = TrainingRun.objects.published().only("pk", "key", "family").first()
    if run is None:
        return None
    global _loaded, _refused
    loaded = _loaded
    if loaded is not None and loaded.version == run.version:
        return loaded
    with _lock:
        if _loaded is not None and _loaded.version == run.version:
            return _loaded
        if _refused == run.version:
            return None
        try:
            _loaded = load(run)
        except (ArtifactError, KeyError) as error:
            logger.error("The published model %s cannot be read, serving cold start: %s", run.version, error)
            _refused = run.version
            return None
        return _loaded


def load(run: TrainingRun) -> Model:
    """The model of a run, its files mapped. Raises ArtifactError, or KeyError when an array is missing."""
    # The hashes were checked when the model was published; a request does not wait for that again.
    arrays = load_artifact(run.artifact_path, verify=False).arrays
    if run.family == TrainingRun.Family.HISTORY:
        return HistoryTowers(run.version, HistoryModel.from_arrays(arrays))
    names = ("user_ids", "item_ids", "user_embeddings", "item_embeddings")
    return PaperModel(run.version, *(arrays[name] for name in names))


def forget() -> None:
    """Unmap the model, so that the next call opens it again."""
    global _loaded, _refused
    with _lock:
        _loaded = _refused = None
