"""A training run from its row in the database to a published model. Runs in a worker; brings in JAX."""

import logging
import shutil
from typing import Any

import numpy as np
from django.db import InterfaceError, OperationalError

from recommender import lifecycle, locks, services
from recommender.engine.artifact import ArtifactError, load_artifact, write_artifact
from recommender.engine.config import PaperConfig
from recommender.engine.preparation import Prepared, prepare
from recommender.engine.ratings import RatingMatrix
from recommender.engine.training import EpochReport, TrainedModel, TrainingStopped, train
from recommender.models import TrainingRun
from recommender.snapshot import load_ratings

logger = logging.getLogger(__name__)

#: Where on the way from 0 to 1 the training phase begins and ends.
TRAINING_BEGINS, TRAINING_ENDS = 0.05, 0.95


def execute(run_id: int) -> None:
    """Bring the run to its end, from its last checkpoint when a worker before this one was killed.

    Returns at once when another worker holds the run or when it has ended. What goes wrong with the data or the
    training ends the run as failed, with the reason; a database that went away does not: the run stays running, and
    `tasks.resume_interrupted_runs` sends it again.
    """
    with locks.held(run_id) as acquired:
        if not acquired:
            logger.info("Training run %s is in another worker's hands.", run_id)
            return
        run = TrainingRun.objects.get(pk=run_id)
        if run.state == TrainingRun.State.QUEUED:
            lifecycle.move(run, TrainingRun.State.RUNNING)
        if run.state != TrainingRun.State.RUNNING:
            return
        try:
            _train(run)
        except TrainingStopped:
            lifecycle.move(run, TrainingRun.State.CANCELLED)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.exception("Training run %s failed", run)
            lifecycle.move(run, TrainingRun.State.FAILED, error=_explained(error))
        else:
            if run.publishes_itself:
                services.publish(run)
        shutil.rmtree(run.checkpoint_path, ignore_errors=True)


def _train(run: TrainingRun) -> None:
    config = PaperConfig.from_dict(run.config)
    _report(run, TrainingRun.Phase.SNAPSHOT, 0)
    ratings = _snapshot(run)
    _report(run, TrainingRun.Phase.PREPARING, 0.02, data_fingerprint=ratings.fingerprint())
    prepared = prepare(ratings, seed=config.seed)
    _report(run, TrainingRun.Phase.TRAINING, TRAINING_BEGINS, counts=_counts(prepared))
    model = train(
        prepared,
        config,
        checkpoint_dir=run.checkpoint_path / "epochs",
        on_epoch=lambda epoch: _report_epoch(run, epoch),
        should_stop=lambda: _is_cancelled(run),
    )
    _report(run, TrainingRun.Phase.WRITING, TRAINING_ENDS)
    metrics = {"validation_mse": run.losses[-1]["validation_mse"]} if run.losses else {}
    _write(run, prepared, model, metrics)
    lifecycle.move(
        run,
        TrainingRun.State.READY,
        phase=TrainingRun.Phase.DONE,
        progress=1.0,
        metrics=metrics,
        has_artifact=True,
    )


def _snapshot(run: TrainingRun) -> RatingMatrix:
    """The ratings that this run trains on: the same after a restart, whatever was rated since."""
    path = run.checkpoint_path / "ratings.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as saved:
            return RatingMatrix.from_arrays(saved["user_ids"], saved["item_ids"], saved["ratings"])
    ratings = load_ratings()
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


def _report(run: TrainingRun, phase: str, progress: float, **fields: Any) -> None:
    """Write how far the run is to its row, for those who watch."""
    for name, value in {"phase": phase, "progress": progress, **fields}.items():
        setattr(run, name, value)
    run.save(update_fields=["phase", "progress", *fields])


def _report_epoch(run: TrainingRun, epoch: EpochReport) -> None:
    entry = {
        "epoch": epoch.epoch,
        "train_loss": epoch.train_loss,
        "validation_mse": epoch.validation_mse,
        "seconds": round(epoch.seconds, 3),
    }
    share = epoch.epoch / epoch.epochs
    progress = TRAINING_BEGINS + share * (TRAINING_ENDS - TRAINING_BEGINS)
    losses = [*(old for old in run.losses if old["epoch"] < epoch.epoch), entry]
    _report(run, TrainingRun.Phase.TRAINING, progress, losses=losses)


def _is_cancelled(run: TrainingRun) -> bool:
    return TrainingRun.objects.filter(pk=run.pk, cancel_requested=True).exists()


def _write(run: TrainingRun, prepared: Prepared, model: TrainedModel, metrics: dict[str, float]) -> None:
    path = run.artifact_path
    try:
        load_artifact(path, verify=True)
        return  # a worker before this one wrote it and was killed before it could say so
    except ArtifactError:
        shutil.rmtree(path, ignore_errors=True)
    write_artifact(
        path,
        family=run.family,
        arrays={
            "user_ids": prepared.user_ids,
            "item_ids": prepared.item_ids,
            "user_embeddings": model.user_embeddings,
            "item_embeddings": model.item_embeddings,
        },
        config=run.config,
        fingerprint=run.data_fingerprint,
        metrics=metrics,
    )


def _counts(prepared: Prepared) -> dict[str, int]:
    return {name: int(value) for name, value in prepared.counts.items()}


def _explained(error: Exception) -> str:
    """What staff read: the message of an error that was raised for them, and the kind of any other."""
    if isinstance(error, ValueError | ArtifactError | services.PublishError | OSError):
        return str(error) or type(error).__name__
    return f"Unexpected {type(error).__name__}: {error}. The worker's log has the details."
