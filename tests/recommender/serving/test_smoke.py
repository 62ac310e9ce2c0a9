"""A model is asked for lists before anybody is served by it."""

import numpy as np
import pytest

from recommender.engine.artifact import write_artifact
from recommender.models import TrainingRun
from recommender.serving.models import smoke
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]


def run_with(item_ids: list[int], vectors: list[list[float]], **others: np.ndarray) -> TrainingRun:
    run = TrainingRun.objects.create(family=TrainingRun.Family.PAPER)
    arrays = {
        "user_ids": np.array([1]),
        "user_embeddings": np.ones((1, len(vectors[0])), dtype=np.float32),
        "item_ids": np.array(item_ids),
        "item_embeddings": np.array(vectors, dtype=np.float32),
        **others,
    }
    arrays = {name: array for name, array in arrays.items() if array.size}
    write_artifact(run.artifact_path, family=run.family, arrays=arrays, config={}, fingerprint="", metrics={})
    return run


@pytest.fixture
def anime() -> list[int]:
    return [factories.anime().pk for _ in range(8)]


def test_a_model_that_lists_passes_however_little_it_knows(anime: list[int]) -> None:
    smoke.check(run_with(anime, [[1.0, 0.1 * place] for place in range(8)]))
    smoke.check(run_with(anime[:1], [[1.0]]))


def test_what_cannot_be_shown_is_named(anime: list[int]) -> None:
    good = [[1.0, 0.1 * place] for place in range(8)]
    broken = [
        (run_with([-5, -4], [[1.0], [1.0]]), "knows no anime of the catalogue"),
        (run_with(anime, [[float("nan"), 1.0]] * 8), "scores are not numbers|is empty"),
        (run_with(anime, good, item_embeddings=np.empty(0)), "does not answer: 'item_embeddings'"),
        (run_with(anime, good[:4]), "does not answer"),
        (TrainingRun.objects.create(), r"manifest\.json is missing"),
    ]
    for run, message in broken:
        with pytest.raises(smoke.SmokeError, match=message):
            smoke.check(run)
