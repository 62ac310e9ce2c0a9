"""The models that are served, mapped into this process and exchanged as soon as others take their place."""

import logging
import threading

from django.db.models import BooleanField, ExpressionWrapper, Q

from recommender.engine.artifact import ArtifactError
from recommender.models import TrainingRun
from recommender.serving.models.artifacts import Model, load
from recommender.serving.models.paper import PaperModel

logger = logging.getLogger(__name__)


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
