"""A trained model publishes itself when nothing speaks against it, and waits for a person when something does."""

import pytest

from catalog.models import Anime
from evaluation import gate
from recommender import attempts, services, smoke
from recommender.models import TrainingRun
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


def test_a_sound_model_publishes_itself_unless_it_was_asked_to_wait() -> None:
    served = decided(evaluating())
    assert (served.state, served.waits_because) == (S.PUBLISHED, "")
    asked = decided(evaluating(publishes_itself=False))
    assert (asked.state, asked.waits_because) == (S.READY, "")
    assert TrainingRun.objects.published().get() == served


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
