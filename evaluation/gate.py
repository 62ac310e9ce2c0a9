"""Whether a model that was trained may replace the one that is served, without anybody looking."""

import logging

from django.db import InterfaceError, OperationalError

from recommender import attempts, lifecycle, locks, run_logs, services, smoke
from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.models import TrainingRun

logger = logging.getLogger(__name__)


def decide(run_id: int) -> None:
    """Bring a trained run to the end of its evaluation, and publish it if it was launched so and nothing speaks
    against it; what does is kept with the run, which then waits for a person.

    Returns at once when another worker holds the run, when it is not at this point, or when it was deleted.
    """
    with locks.held(run_id) as acquired:
        if not acquired:
            return
        run = TrainingRun.objects.filter(pk=run_id).first()
        if run is None:
            return
        if run.state != TrainingRun.State.EVALUATING and not run.waits_to_publish_itself:
            return
        with run_logs.kept(run):
            try:
                attempts.begin(run)
                against = reasons_against(run)
            except (OperationalError, InterfaceError):
                raise  # the run stays as it is, and is sent again
            except Exception as error:
                logger.exception("%s could not be judged", run)
                against = [f"it could not be judged: {error}"]
            _end(run, against)


def reasons_against(run: TrainingRun) -> list[str]:
    """Why the model should not be served without a person's word; empty when nothing speaks against it."""
    try:
        load_artifact(run.artifact_path, verify=True)
        smoke.check(run)
    except ArtifactError as error:
        return [f"its files are damaged: {error}"]
    except smoke.SmokeError as error:
        return [f"it failed the trial request: {error}"]
    return []


def _end(run: TrainingRun, against: list[str]) -> None:
    try:
        if run.state == TrainingRun.State.EVALUATING:
            lifecycle.move(run, TrainingRun.State.READY, phase=TrainingRun.Phase.DONE, progress=1.0)
        if run.waits_to_publish_itself and not against:
            services.publish(run)
            logger.info("%s is published.", run)
            return
    except lifecycle.ImpossibleMove as error:
        logger.info("%s was ended while it was judged: %s", run, error)
        return
    except services.PublishError as error:
        against = [str(error)]
    if against:
        run.publishes_itself, run.waits_because = False, "; ".join(against)
        logger.warning("%s is ready and waits for a person: %s", run, run.waits_because)
        run.save(update_fields=["publishes_itself", "waits_because"])
