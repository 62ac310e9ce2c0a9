"""Whether a model that was trained may replace the one that is served, without anybody looking."""

import logging

from recommender import lifecycle, locks, run_logs, services
from recommender.models import TrainingRun

logger = logging.getLogger(__name__)


def decide(run_id: int) -> None:
    """Bring a trained run to the end of its evaluation, and publish it if it was launched so and nothing speaks
    against it; what does is kept with the run, which then waits for a person.

    Returns at once when another worker holds the run or when it is not at this point.
    """
    with locks.held(run_id) as acquired:
        if not acquired:
            return
        run = TrainingRun.objects.get(pk=run_id)
        with run_logs.kept(run):
            if run.state == TrainingRun.State.EVALUATING:
                lifecycle.move(run, TrainingRun.State.READY, phase=TrainingRun.Phase.DONE, progress=1.0)
            if run.waits_to_publish_itself:
                _publish(run)


def _publish(run: TrainingRun) -> None:
    try:
        services.publish(run)
        logger.info("%s is published.", run)
    except services.PublishError as error:
        logger.error("%s is ready and waits for a person: %s", run, error)
        run.publishes_itself, run.waits_because = False, str(error)
        run.save(update_fields=["publishes_itself", "waits_because"])
