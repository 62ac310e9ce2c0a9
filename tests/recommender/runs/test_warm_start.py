"""A retraining continues from the published model when it may, and says so."""

import pytest

from evaluation.runs import gate
from recommender.models import TrainingRun
from recommender.runs import pipeline, services
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("artifacts_dir")]
CONFIG = {"factors": 8, "epochs": 6, "steps_per_epoch": 4}


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("recommender.tasks.enqueue", lambda run: None)
    caplog.set_level("INFO")


def trained(*, warm_start: bool = False) -> TrainingRun:
    run = services.launch_training(started_by=None, config=CONFIG, warm_start=warm_start)
    pipeline.execute(run.pk)
    run.refresh_from_db()
    assert (run.error, run.state) == ("", TrainingRun.State.EVALUATING)
    return run


def test_a_retraining_continues_and_takes_a_third_of_the_epochs(community: list[int]) -> None:
    first = trained(warm_start=True)
    assert (first.continued_from, first.epoch) == (None, 6)
    gate.decide(first.pk)
    assert TrainingRun.objects.published().get() == first
    factories.member(dict.fromkeys(community[:10], 8))
    second = trained(warm_start=True)
    assert (second.continued_from, second.epoch, second.config["epochs"]) == (first, 2, 2)
    assert second.log.filter(message=f"{second} continues from {first}.").exists()
    anew = trained()
    assert (anew.continued_from, anew.epoch) == (None, 6)


def test_it_begins_anew_when_the_published_model_is_of_another_kind(community: list[int]) -> None:
    factories.published_model({community[0]: [1.0, 0.0], community[1]: [0.0, 1.0]})
    run = trained(warm_start=True)
    assert (run.continued_from, run.epoch) == (None, 6)
    assert run.log.filter(message__contains="begins anew").exists()
