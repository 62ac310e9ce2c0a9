"""How each family of models is trained for a run. Runs in a worker; brings in JAX."""

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from recommender.engine import cluster_choice, clusters, history, training
from recommender.engine.config import PaperConfig
from recommender.engine.history_config import HistoryConfig
from recommender.engine.preparation import prepare
from recommender.engine.ratings import RatingMatrix
from recommender.models import TrainingRun
from recommender.progress import losses_of, must_stop, report, report_epoch
from recommender.published import GMM, KMEANS
from recommender.snapshot import load_content

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
    model = training.train(
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
    kmeans = clusters.fit_kmeans(
        item_embeddings, n_clusters=clusters.default_n_clusters(n_items, config.clusters), seed=config.seed
    )
    components = clusters.default_n_components(n_items, n_factors, config.clusters)
    mixture = clusters.fit_gaussian_mixture(item_embeddings, n_clusters=components, seed=config.seed)
    grid = cluster_choice.grid_for(n_items)
    if grid:
        found = cluster_choice.curves(item_embeddings, grid, seed=config.seed, progress=lambda *_: _stop_if_told(run))
        run.cluster_curves = {**found.as_dict(), "clusters": kmeans.n_clusters, "components": mixture.n_clusters}
    return {**kmeans.to_arrays(KMEANS), **mixture.to_arrays(GMM)}


def _stop_if_told(run: TrainingRun) -> None:
    if must_stop(run):
        raise training.TrainingStopped("stopped while the anime were clustered")


def train_history(run: TrainingRun, ratings: RatingMatrix) -> Arrays:
    """The history two-tower model, on all interactions and the whole catalogue, from the last checkpoint."""
    report(run, Phase.PREPARING)
    content = load_content()
    counts = {"interactions": len(ratings), "users_kept": ratings.n_users, "items_kept": len(content.item_ids)}
    report(run, Phase.TRAINING, counts=counts)
    model = history.train(
        ratings,
        content,
        HistoryConfig.from_dict(run.config),
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
