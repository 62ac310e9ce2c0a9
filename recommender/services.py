"""What staff, schedules and commands do with training runs."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import User
from recommender import configs, lifecycle, tasks
from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.models import TrainingRun


class PublishError(Exception):
    """The model cannot be published; the message says why."""


@transaction.atomic
def launch_training(
    *,
    started_by: User | None,
    family: str = TrainingRun.Family.HISTORY,
    config: dict[str, Any] | None = None,
    publishes_itself: bool = True,
) -> TrainingRun:
    """Queue a training; the worker gets it when the transaction commits.

    Raises ValidationError that names the field when the configuration is not one the engine takes.
    """
    try:
        config = configs.checked(family, config or {})
    except ValueError as error:
        raise ValidationError({"config": str(error)}) from error
    run = TrainingRun.objects.create(
        started_by=started_by, family=family, config=config, publishes_itself=publishes_itself
    )
    transaction.on_commit(lambda: tasks.enqueue(run.pk))
    return run


def cancel(run: TrainingRun) -> None:
    """Cancel a queued run at once; ask a running one to stop at the end of its epoch."""
    with transaction.atomic():
        current = TrainingRun.objects.select_for_update().get(pk=run.pk)
        if current.state == TrainingRun.State.RUNNING:
            current.cancel_requested = True
            current.save(update_fields=["cancel_requested"])
        else:
            lifecycle.move(current, TrainingRun.State.CANCELLED)


def publish(run: TrainingRun) -> None:
    """Serve this run's model, once its files are verified. Raises PublishError."""
    try:
        load_artifact(run.artifact_path, verify=True)
        lifecycle.publish(run)
    except (ArtifactError, lifecycle.ImpossibleMove) as error:
        raise PublishError(str(error)) from error


def roll_back() -> TrainingRun:
    """Publish the model that was served before the present one. Raises PublishError when there is none."""
    previous = TrainingRun.objects.filter(state=TrainingRun.State.RETIRED, published_at__isnull=False)
    run = previous.order_by("-published_at").first()
    if run is None:
        raise PublishError("No model was published before this one.")
    publish(run)
    return run


def launch_first_trainings() -> TrainingRun:
    """Queue the trainings of a new site: the paper's model, which is ready in seconds, and then the better one.

    Returns the first.
    """
    with transaction.atomic():
        first = launch_training(started_by=None, family=TrainingRun.Family.PAPER)
        launch_training(started_by=None)
    return first
