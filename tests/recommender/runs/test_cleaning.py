"""Old models' files go; those that are served, may be gone back to, or are being written stay."""

import os
import time
import uuid

import pytest

from recommender.models import TrainingRun
from recommender.runs import cleaning, services
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
S = TrainingRun.State


def models(count: int) -> list[TrainingRun]:
    return [factories.published_model({1: [1.0], 2: [2.0]}) for _ in range(count)]


def test_the_newest_and_the_last_published_stay() -> None:
    (other_family,) = models(1)
    TrainingRun.objects.update(family=TrainingRun.Family.HISTORY)
    runs = models(6)
    services.publish(runs[0])
    cleaned = cleaning.clean_up(keep_last=1, keep_published=3)
    assert cleaned.artifacts == 3
    assert other_family.artifact_path.exists()
    kept = [run for run in runs if run.artifact_path.exists()]
    assert kept == [runs[0], runs[4], runs[5]]  # served, served before, the newest (served before that too)
    assert set(TrainingRun.objects.filter(has_artifact=True)) == {other_family, *kept}
    assert services.roll_back() == runs[5]
    with pytest.raises(services.PublishError, match=r"manifest\.json is missing"):
        services.publish(runs[1])


def test_the_published_model_stays_whatever_the_rule_says() -> None:
    (served,) = models(1)
    waiting = TrainingRun.objects.create(state=S.READY, has_artifact=True)
    assert cleaning.clean_up(keep_last=0, keep_published=0).artifacts == 0
    assert served.artifact_path.exists()
    TrainingRun.objects.filter(pk=waiting.pk).update(publishes_itself=False)
    assert cleaning.clean_up(keep_last=0, keep_published=0).artifacts == 1
    waiting.refresh_from_db()
    assert (waiting.state, waiting.has_artifact) == (S.RETIRED, False)


def test_directories_of_no_run_go_once_they_are_old(artifacts_dir) -> None:
    (served,) = models(1)
    running = TrainingRun.objects.create(state=S.RUNNING)
    mine = [
        artifacts_dir / str(uuid.uuid4()),
        artifacts_dir / f".{uuid.uuid4()}.abc",
        artifacts_dir / "checkpoints" / str(served.key),
    ]
    others = [artifacts_dir / "backup", running.checkpoint_path, artifacts_dir / f".{running.key}.abc"]
    young = artifacts_dir / str(uuid.uuid4())
    for path in [*mine, *others, young]:
        path.mkdir(parents=True)
    for path in [*mine, *others, served.artifact_path]:
        os.utime(path, (time.time() - 2 * cleaning.ORPHAN_AGE_S,) * 2)
    assert cleaning.clean_up(keep_last=5, keep_published=3) == cleaning.Cleaned(artifacts=0, orphans=3)
    assert not any(path.exists() for path in mine)
    assert all(path.exists() for path in [*others, young, served.artifact_path])


def test_a_rule_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="keep_last must be 0 or more, not -1"):
        cleaning.clean_up(keep_last=-1, keep_published=3)
