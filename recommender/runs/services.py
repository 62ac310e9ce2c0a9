"""What staff, schedules and commands do with training runs."""

import shutil
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import User
from common import audit, locks
from recommender import tasks
from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.models import TrainingRun
from recommender.runs import configs, lifecycle
from recommender.runs.data_filter import DataFilter


class PublishError(Exception):
    """The model cannot be published; the message says why."""


def _refused(error: ValueError) -> ValidationError:
    """As an error of a field. It repeats what was sent, so it is a parameter and never formatted itself."""
    return ValidationError("%(problem)s", params={"problem": str(error)})


@transaction.atomic
def launch_training(
    *,
    started_by: User | None,
    family: str = TrainingRun.Family.HISTORY,
    config: dict[str, Any] | None = None,
    data_filter: dict[str, Any] | None = None,
    warm_start: bool = False,
    publishes_itself: bool = True,
    cause: TrainingRun.Cause = TrainingRun.Cause.PERSON,
) -> TrainingRun:
    """Queue a training; the worker gets it when the transaction commits.

    Raises ValidationError that names the field when the configuration is not one the engine takes, or the data filter
    is none.
    """
    try:
        config = configs.checked(family, config or {})
    except ValueError as error:
        raise ValidationError({"config": _refused(error)}) from error
    try:
        data_filter = DataFilter.from_dict(data_filter or {}).to_dict()
    except ValueError as error:
        raise ValidationError({"data_filter": _refused(error)}) from error
    run = TrainingRun.objects.create(
        started_by=started_by,
        family=family,
        config=config,
        data_filter=data_filter,
        warm_start=warm_start,
        publishes_itself=publishes_itself,
        cause=cause,
    )
    audit.record("trainingrun.launch", run, family=family, cause=str(cause), config=config, data_filter=data_filter)
    transaction.on_commit(lambda: tasks.enqueue(run))
    return run


@transaction.atomic
def cancel(run: TrainingRun) -> None:
    """Cancel a run at once, or ask the worker that trains it to stop at the end of its epoch."""
    current = TrainingRun.objects.select_for_update().get(pk=run.pk)
    if current.state == TrainingRun.State.RUNNING and locks.is_held(run.pk):
        current.cancel_requested = True
        current.save(update_fields=["cancel_requested"])
        audit.record("trainingrun.cancel", run)
        return
    lifecycle.move(current, TrainingRun.State.CANCELLED)
    audit.record("trainingrun.cancel", run)
    transaction.on_commit(lambda: _remove(current.checkpoint_path))


def publish(run: TrainingRun) -> None:
    """Serve this run's model, once its files are verified. Raises PublishError."""
    _serve(run, "trainingrun.publish")


def _serve(run: TrainingRun, action: str) -> None:
    try:
        load_artifact(run.artifact_path, verify=True)
        with transaction.atomic():
            before = TrainingRun.objects.published().first()
            lifecycle.publish(run)
            audit.record(action, run, in_place_of=str(before) if before else None)
    except (ArtifactError, lifecycle.ImpossibleMove) as error:
        raise PublishError(str(error)) from error


def retire(run: TrainingRun) -> None:
    """Set aside a model that is ready. Raises ImpossibleMove, also for the published one, which others depend on."""
    if run.state == TrainingRun.State.PUBLISHED:
        raise lifecycle.ImpossibleMove(f"{run} is served. Publish another model, or roll back, first.")
    with transaction.atomic():
        lifecycle.move(run, TrainingRun.State.RETIRED, publishes_itself=False)
        audit.record("trainingrun.retire", run)


@transaction.atomic
def delete(run: TrainingRun) -> None:
    """Delete a run that has ended, with its files. Raises ImpossibleMove when it is published or not at its end."""
    current = TrainingRun.objects.select_for_update().get(pk=run.pk)
    if not current.is_disposable:
        raise lifecycle.ImpossibleMove(
            f"{run} is {current.get_state_display().lower()}. Cancel it, or publish another model, first."
        )
    audit.record("trainingrun.delete", run)
    current.delete()
    transaction.on_commit(lambda: _remove(run.artifact_path, run.checkpoint_path))


def roll_back() -> TrainingRun:
    """Publish the model that was served before the present one. Raises PublishError when there is none."""
    previous = TrainingRun.objects.filter(
        state=TrainingRun.State.RETIRED, published_at__isnull=False, has_artifact=True
    )
    run = previous.order_by("-published_at").first()
    if run is None:
        raise PublishError("No model was published before this one.")
    _serve(run, "trainingrun.roll_back")
    return run


def launch_first_trainings() -> TrainingRun:
    """Queue the trainings of a new site: the paper's model, which is ready in seconds, and then the better one.

    Returns the first.
    """
    with transaction.atomic():
        cause = TrainingRun.Cause.FIRST
        first = launch_training(started_by=None, family=TrainingRun.Family.PAPER, cause=cause)
        launch_training(started_by=None, cause=cause)
    return first


def _remove(*directories: Path) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
