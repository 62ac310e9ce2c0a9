"""How each family of models is trained for a run. Runs in a worker; brings in JAX."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from recommender.engine.artifact import ArtifactError
from recommender.engine.config import TrainingStopped
from recommender.engine.history import training as history_training
from recommender.engine.history import warm_start
from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.model import HistoryModel
from recommender.engine.paper import cluster_choice, clustering
from recommender.engine.paper import training as paper_training
from recommender.engine.paper.config import PaperConfig
from recommender.engine.paper.preparation import prepare
from recommender.engine.ratings import RatingMatrix
from recommender.models import TrainingRun
from recommender.runs.progress import losses_of, must_stop, report, report_epoch
from recommender.runs.snapshot import load_content
from recommender.serving.models.artifacts import load
from recommender.serving.models.history import HistoryTowers
from recommender.serving.models.paper import GMM, KMEANS

logger = logging.getLogger(__name__)

Phase = TrainingRun.Phase
#: A mixture needs two.
MIN_ITEMS_TO_CLUSTER = 2
Arrays = Mapping[str, NDArray[Any]]


def train_paper(run: TrainingRun, ratings: RatingMatrix) -> Arrays:
    """The paper's preparation and model, from the last checkpoint if there is one."""
    config = PaperConfig.from_dict(run.config)
    report(run, Phase.PREPARING)
    # Whom to measure the model on is kept apart already, for models of every family alike.
    prepared = prepare(ratings, seed=config.seed, n_held_out=0)
    report(run, Phase.TRAINING, counts=prepared.counts)
    model = paper_training.train(
        prepared,
        config,
        checkpoint_dir=run.checkpoint_path / "epochs",
        on_epoch=lambda epoch: report_epoch(run, epoch),
        should_stop=lambda: must_stop(run),
    )
    # A worker killed between keeping an epoch and reporting it left a gap, which the checkpoint fills.
    run.losses = [losses_of(epoch) for epoch in model.reports]
    run.metrics = {"validation_mse": model.reports[-1].validation_mse}
    report(run, Phase.CLUSTERING)
    return {
        "user_ids": prepared.user_ids,
        "item_ids": prepared.item_ids,
        "user_embeddings": model.user_embeddings,
        "item_embeddings": model.item_embeddings,
        **_clusters(run, model.item_embeddings, config),
    }


def _clusters(run: TrainingRun, item_embeddings: NDArray[Any], config: PaperConfig) -> Arrays:
    """K-means and Gaussian mixture as arrays of an artifact; the curves of the choice of their number go to the run."""
    n_items, n_factors = item_embeddings.shape
    if n_items < MIN_ITEMS_TO_CLUSTER:
        return {}
    kmeans = clustering.fit_kmeans(
        item_embeddings, n_clusters=clustering.default_n_clusters(n_items, config.clusters), seed=config.seed
    )
    components = clustering.default_n_components(n_items, n_factors, config.clusters)
    mixture = clustering.fit_gaussian_mixture(item_embeddings, n_clusters=components, seed=config.seed)
    grid = cluster_choice.grid_for(n_items)
    if grid:
        found = cluster_choice.curves(item_embeddings, grid, seed=config.seed, progress=lambda *_: _stop_if_told(run))
        run.cluster_curves = {**found.as_dict(), "clusters": kmeans.n_clusters, "components": mixture.n_clusters}
    return {**kmeans.to_arrays(KMEANS), **mixture.to_arrays(GMM)}


def _stop_if_told(run: TrainingRun) -> None:
    if must_stop(run):
        raise TrainingStopped("stopped while the anime were clustered")


class _Before(NamedTuple):
    """A run whose model another training continues."""

    run: TrainingRun
    model: HistoryModel


def _model_before(run: TrainingRun, ratings: RatingMatrix, config: HistoryConfig) -> _Before | None:
    """What the run continues, if it was launched so and the published model allows it; the same after a restart."""
    before = run.continued_from or (TrainingRun.objects.published().first() if run.warm_start else None)
    if before is None:
        return None
    try:
        found = load(before)
    except (ArtifactError, KeyError) as error:
        logger.warning("%s begins anew: the model before it cannot be read: %s", run, error)
        return None
    if not isinstance(found, HistoryTowers) or not warm_start.can_continue(found.model, ratings, config):
        logger.info("%s begins anew: %s is another kind of model, or learnt from what is gone.", run, before)
        return None
    logger.info("%s continues from %s.", run, before)
    return _Before(before, found.model)


def train_history(run: TrainingRun, ratings: RatingMatrix) -> Arrays:
    """The history two-tower model, on all interactions and the whole catalogue, from the last checkpoint."""
    report(run, Phase.PREPARING)
    content = load_content()
    counts = {"interactions": len(ratings), "users_kept": ratings.n_users, "items_kept": len(content.item_ids)}
    config = HistoryConfig.from_dict(run.config)
    before = _model_before(run, ratings, config)
    if before is not None and run.continued_from != before.run:
        config = warm_start.shortened(config)
        run.continued_from, run.config = before.run, config.to_dict()
        run.save(update_fields=["continued_from", "config"])
    report(run, Phase.TRAINING, counts=counts)
    model = history_training.train(
        ratings,
        content,
        config,
        begin_with=before.model if before else None,
        checkpoint_dir=run.checkpoint_path / "epochs",
        on_epoch=lambda epoch: report_epoch(run, epoch),
        should_stop=lambda: must_stop(run),
    )
    run.metrics = {}
    return model.to_arrays()


TRAINERS: dict[str, Callable[[TrainingRun, RatingMatrix], Arrays]] = {
    TrainingRun.Family.PAPER: train_paper,
    TrainingRun.Family.HISTORY: train_history,
}
