"""A training run from its row in the database to a model on disk. Runs in a worker; brings in JAX."""

import logging
import shutil
from typing import Any

import numpy as np
from django.db import InterfaceError, OperationalError

from common import locks
from recommender.engine.artifact import ArtifactError, load_artifact, write_artifact
from recommender.engine.config import TrainingStopped
from recommender.engine.holdout import held_out_users
from recommender.engine.ratings import RatingMatrix
from recommender.models import TrainingRun
from recommender.runs import attempts, lifecycle
from recommender.runs import logs as run_logs
from recommender.runs.data_filter import DataFilter
from recommender.runs.progress import BEGINS, is_cancelled, report
from recommender.runs.snapshot import load_ratings
from recommender.runs.trainers import TRAINERS, Arrays
from recommender.serving.models.artifacts import HELD_OUT

logger = logging.getLogger(__name__)


def execute(run_id: int) -> None:
    """Bring the run to a model on disk, from its last checkpoint when a worker before this one was stopped or killed.

    Returns at once when another worker holds the run or when it needs no training. What goes wrong with the data or
    the training ends the run as failed, with the reason; a database that went away does not: the run stays running,
    and `tasks.resume_interrupted_runs` sends it again. A worker that is told to stop puts the run back in the queue.
    """
    with locks.held(run_id) as acquired:
        if not acquired:
            logger.info("Training run %s is in another worker's hands.", run_id)
            return
        run = TrainingRun.objects.filter(pk=run_id).first()
        if run is None:
            logger.info("Training run %s was deleted.", run_id)
            return
        with run_logs.kept(run):
            if run.state == TrainingRun.State.QUEUED:
                lifecycle.move(run, TrainingRun.State.RUNNING)
            if run.state == TrainingRun.State.RUNNING:
                _train_or_explain(run)


def _train_or_explain(run: TrainingRun) -> None:
    logger.info("%s of %s begins.", "Going on with the training" if run.losses else "Training", run)
    end: dict[str, Any]
    try:
        attempts.begin(run)
        metrics = _train(run)
    except (OperationalError, InterfaceError):
        raise
    except TrainingStopped as stop:
        logger.info("Training of %s: %s.", run, stop)
        if not is_cancelled(run):
            lifecycle.move(run, TrainingRun.State.QUEUED, phase=TrainingRun.Phase.WAITING, fruitless_attempts=0)
            return
        end = {"to": TrainingRun.State.CANCELLED}
    except Exception as error:
        logger.exception("Training run %s failed", run)
        end = {"to": TrainingRun.State.FAILED, "error": _explained(error)}
    else:
        end = {"to": TrainingRun.State.EVALUATING, "phase": TrainingRun.Phase.EVALUATING, **metrics}
        end["progress"] = BEGINS[TrainingRun.Phase.EVALUATING]
        end["fruitless_attempts"] = 0
    # Before the move: once the run has ended, nobody comes back to clean up.
    shutil.rmtree(run.checkpoint_path, ignore_errors=True)
    lifecycle.move(run, **end)


def _train(run: TrainingRun) -> dict[str, Any]:
    """Train and write the artifact; return what the run's row gets when it is ready."""
    report(run, TrainingRun.Phase.SNAPSHOT)
    ratings = _snapshot(run)
    if not len(ratings):
        raise ValueError(
            "there are no ratings to train on. Load a data set, wait until people have rated, or widen the data filter."
        )
    run.data_fingerprint = ratings.fingerprint()
    run.save(update_fields=["data_fingerprint"])
    held_out = held_out_users(ratings)
    trained_on = ratings.select(~np.isin(ratings.user_ids, held_out)[ratings.users])
    arrays = TRAINERS[run.family](run, trained_on)
    run.counts["held_out_users"] = len(held_out)
    report(run, TrainingRun.Phase.WRITING)
    _write(run, {**arrays, HELD_OUT: held_out})
    return {
        "losses": run.losses,
        "metrics": run.metrics,
        "counts": run.counts,
        "cluster_curves": run.cluster_curves,
        "has_artifact": True,
    }


def _snapshot(run: TrainingRun) -> RatingMatrix:
    """The ratings that this run trains on: the same after a restart, whatever was rated since."""
    path = run.checkpoint_path / "ratings.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as saved:
            return RatingMatrix.from_arrays(saved["user_ids"], saved["item_ids"], saved["ratings"])
    ratings = DataFilter.from_dict(run.data_filter).apply(load_ratings())
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name("ratings.unfinished.npz")
    np.savez(
        unfinished,
        user_ids=ratings.user_ids[ratings.users],
        item_ids=ratings.item_ids[ratings.items],
        ratings=ratings.ratings,
    )
    unfinished.replace(path)
    return ratings


def _write(run: TrainingRun, arrays: Arrays) -> None:
    path = run.artifact_path
    try:
        load_artifact(path, verify=True)
        return  # a worker before this one wrote it and was killed before it could say so
    except ArtifactError:
        shutil.rmtree(path, ignore_errors=True)
    write_artifact(
        path,
        family=run.family,
        arrays=arrays,
        config=run.config,
        fingerprint=run.data_fingerprint,
        metrics=run.metrics,
    )


def _explained(error: Exception) -> str:
    """What staff read: the message of an error that was raised for them, and the kind of any other."""
    if isinstance(error, ValueError | ArtifactError | OSError | attempts.GivenUp):
        return str(error) or type(error).__name__
    return f"Unexpected {type(error).__name__}: {error}. The worker's log has the details."
