"""The model of a training run, read from its files."""

from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.engine.history.model import HistoryModel
from recommender.models import TrainingRun
from recommender.serving.models.history import HistoryTowers
from recommender.serving.models.paper import PaperModel

#: The array of an artifact with the ids of the people that its training left out.
HELD_OUT = "held_out_user_ids"

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
