"""Whether a model that was trained may replace the one that is served, without anybody looking."""

import logging
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError

from common import locks
from evaluation.models import Evaluation
from evaluation.runs import services
from evaluation.runs.keys import MAIN
from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.models import TrainingRun
from recommender.runs import attempts, lifecycle
from recommender.runs import logs as run_logs
from recommender.runs import services as runs
from recommender.serving.models import smoke
from recommender.serving.models.artifacts import is_readable

logger = logging.getLogger(__name__)

#: Metrics of the list as served that a run's own page and comparisons show.
SHOWN = ("ndcg@10", "map@10", "precision@10", "recall@100")


class Busy(Exception):
    """The decision needs what another worker is measuring; it is made when the run is sent again."""


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
            except Busy as error:
                logger.info("%s waits: %s.", run, error)
                attempts.take_back(run)
                return
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
    published = TrainingRun.objects.published().exclude(pk=run.pk).first()
    if published is None or not is_readable(published):
        return []  # nothing to be worse than, and people are waiting for a model
    new, old = _measured(run), _measured(published)
    if old.data_fingerprint != new.data_fingerprint:
        old = _measured(published, again=True)
    return _worse(new, old)


def _measured(run: TrainingRun, *, again: bool = False) -> Evaluation:
    """The run's evaluation, made now if there is none; what it found of the list as served goes to the run too.

    Raises Busy when another worker is at it.
    """
    chosen = {"seed": settings.GATE_SEED, "n_users": settings.GATE_USERS}
    evaluation = services.evaluate_run(run, again=again, **chosen)
    if evaluation.state == Evaluation.State.FAILED and not again:
        evaluation = services.evaluate_run(run, again=True, **chosen)
    if evaluation.is_active:
        raise Busy(f"{evaluation} is in another worker's hands")
    found = evaluation.method(MAIN)
    if evaluation.state == Evaluation.State.DONE and found is not None:
        measured = {name: dict(zip(("mean", "low", "high"), value, strict=True)) for name, value in _shown(found)}
        run.metrics = {**run.metrics, **measured}
        run.save(update_fields=["metrics"])
        logger.info("%s has NDCG@10 %.4f on %s people.", run, evaluation.mean("ndcg@10", MAIN), evaluation.users)
    return evaluation


def _shown(method: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in method["metrics"].items() if name in SHOWN]


def _worse(new: Evaluation, old: Evaluation) -> list[str]:
    for evaluation in (new, old):
        if evaluation.state != Evaluation.State.DONE:
            return [f"{evaluation.run} could not be measured: {evaluation.error or evaluation.get_state_display()}"]
    compared = services.compare(new, old)
    if compared is None:
        return [f"it has too few people in common with {old.run} to be compared on"]
    difference, low, high = compared.comparison.difference, compared.comparison.low, compared.comparison.high
    logger.info(
        "%s against %s on %s people: NDCG@10 %+.4f (%+.4f to %+.4f).",
        *(new.run, old.run, compared.users, difference, low, high),
    )
    if difference < -settings.GATE_NDCG_MARGIN:
        return [
            f"its NDCG@10 is {-difference:.4f} below that of {old.run} ({low:+.4f} to {high:+.4f}, "
            f"{compared.users} people), and {settings.GATE_NDCG_MARGIN:g} is allowed"
        ]
    return []


def _end(run: TrainingRun, against: list[str]) -> None:
    try:
        if run.state == TrainingRun.State.EVALUATING:
            lifecycle.move(run, TrainingRun.State.READY, phase=TrainingRun.Phase.DONE, progress=1.0)
        if run.waits_to_publish_itself and not against:
            runs.publish(run)
            logger.info("%s is published.", run)
            return
    except lifecycle.ImpossibleMove as error:
        logger.info("%s was ended while it was judged: %s", run, error)
        return
    except runs.PublishError as error:
        against = [str(error)]
    if against:
        run.publishes_itself, run.waits_because = False, "; ".join(against)
        logger.warning("%s is ready and waits for a person: %s", run, run.waits_because)
        run.save(update_fields=["publishes_itself", "waits_because"])
