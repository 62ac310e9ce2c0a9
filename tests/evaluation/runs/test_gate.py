"""A trained model publishes itself when nothing speaks against it, and waits for a person when something does."""

import pytest
from django.utils import timezone
from pytest_django import Settings

from catalog.models import Anime
from evaluation.models import Evaluation
from evaluation.runs import gate
from evaluation.runs import services as evaluation_services
from recommender.models import TrainingRun
from recommender.runs import attempts, services
from recommender.serving.models import smoke
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
S = TrainingRun.State


def decided(run: TrainingRun) -> TrainingRun:
    gate.decide(run.pk)
    run.refresh_from_db()
    return run


def evaluating(**fields: object) -> TrainingRun:
    """A run that was trained, and whose model lists the anime of the catalogue."""
    vectors = {factories.anime().pk: [1.0, 0.1 * place] for place in range(6)}
    run = factories.trained_model(vectors)
    for name, value in fields.items():
        setattr(run, name, value)
    run.save()
    return run


def test_a_sound_first_model_publishes_itself_unless_it_was_asked_to_wait() -> None:
    asked = decided(evaluating(publishes_itself=False))
    assert (asked.state, asked.waits_because) == (S.READY, "")
    served = decided(evaluating())
    assert (served.state, served.waits_because) == (S.PUBLISHED, "")


def test_a_model_takes_the_place_of_one_that_cannot_be_read() -> None:
    unreadable = decided(evaluating())
    (unreadable.artifact_path / "item_ids.npy").unlink()
    assert decided(evaluating()).state == S.PUBLISHED


def compared(old: list[float], new: list[float]) -> TrainingRun:
    """The decision on a model whose evaluation found `new` by person, where the published one's found `old`."""
    published, run = decided(evaluating()), evaluating()
    for one, values in ((published, old), (run, new)):
        mean = sum(values) / len(values)
        Evaluation.objects.create(
            run=one,
            state=Evaluation.State.DONE,
            finished_at=timezone.now(),
            users=len(values),
            methods=[{"key": "auto", "metrics": {"ndcg@10": [mean, mean - 0.01, mean + 0.01]}}],
            per_user={"users": list(range(len(values))), "ndcg@10": {"auto": values}},
        )
    return decided(run)


def test_a_model_that_is_worse_by_more_than_the_margin_waits(settings: Settings) -> None:
    settings.GATE_NDCG_MARGIN = 0.01
    good = [0.3 + 0.01 * place for place in range(20)]
    worse = compared(good, [value - 0.02 for value in good])
    assert (worse.state, worse.publishes_itself) == (S.READY, False)
    assert worse.waits_because.startswith("its NDCG@10 is 0.0200 below that of paper-")
    assert "20 people" in worse.waits_because
    assert worse.metrics["ndcg@10"]["mean"] == pytest.approx(0.375)
    services.publish(worse)  # a person may
    assert TrainingRun.objects.published().get() == worse


@pytest.mark.parametrize("change", [-0.005, 0.0, 0.05])
def test_a_model_that_is_as_good_within_the_margin_takes_over(change: float) -> None:
    good = [0.3 + 0.01 * place for place in range(20)]
    assert compared(good, [value + change for value in good]).state == S.PUBLISHED


def test_what_cannot_be_compared_waits() -> None:
    assert "too few people in common" in compared([0.5] * 5, [0.5] * 5).waits_because
    Evaluation.objects.all().delete()
    waiting = decided(evaluating())  # its model, like the published one's, kept nobody apart
    assert waiting.state == S.READY
    assert "could not be measured: the model was trained on everybody" in waiting.waits_because


def test_a_decision_waits_for_the_worker_that_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    decided(evaluating())
    run = evaluating()
    evaluation = Evaluation.objects.create(run=run)
    monkeypatch.setattr(evaluation_services, "execute", lambda evaluation: None)
    waiting = decided(run)
    assert (waiting.state, waiting.fruitless_attempts) == (S.EVALUATING, 0)
    assert evaluation.is_active


def test_a_damaged_model_waits_with_the_reason_and_nothing_changes_for_the_site() -> None:
    served = decided(evaluating())
    run = evaluating()
    path = run.artifact_path / "item_embeddings.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    waiting = decided(run)
    assert (waiting.state, waiting.publishes_itself) == (S.READY, False)
    assert waiting.waits_because.startswith("its files are damaged: ")
    assert "item_embeddings.npy" in waiting.waits_because
    assert TrainingRun.objects.published().get() == served
    assert decided(waiting).state == S.READY  # asked again, it stays as it is


def test_a_model_that_does_not_answer_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    run = evaluating()
    Anime.objects.all().delete()
    assert decided(run).waits_because == "it failed the trial request: it knows no anime of the catalogue"


def test_an_error_of_the_judging_itself_ends_in_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: TrainingRun) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(smoke, "check", broken)
    waiting = decided(evaluating())
    assert (waiting.state, waiting.waits_because) == (S.READY, "it could not be judged: division by zero")


def test_a_run_that_takes_every_worker_down_is_given_up() -> None:
    waiting = decided(evaluating(fruitless_attempts=attempts.MAX_FRUITLESS))
    assert waiting.state == S.READY
    assert "5 workers were lost over it" in waiting.waits_because


def test_a_run_that_was_cancelled_meanwhile_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run = evaluating()
    monkeypatch.setattr(smoke, "check", lambda run: services.cancel(run))
    assert decided(run).state == S.CANCELLED


@pytest.mark.parametrize("state", [S.QUEUED, S.RUNNING, S.FAILED, S.RETIRED])
def test_a_run_that_is_elsewhere_is_left_alone(state: str) -> None:
    run = evaluating()
    TrainingRun.objects.filter(pk=run.pk).update(state=state, error="broke")
    assert decided(run).state == state
