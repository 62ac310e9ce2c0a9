"""Training of the paper's model: an epoch is one compiled scan over batches that lie on the device.

The plain loop spends most of a step on `optax.nadam` for tens of thousands of users of which a batch has a few
thousand; here a step touches the rows of its batch (`lazy_nadam`). `benchmarks/training.py` compares the two.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from recommender.engine import checkpoints, lazy_nadam
from recommender.engine.batches import lay_out
from recommender.engine.config import PaperConfig
from recommender.engine.lazy_nadam import Rows
from recommender.engine.paper import PaperTwoTower
from recommender.engine.preparation import Prepared

logger = logging.getLogger(__name__)


class TrainingStopped(Exception):
    """`should_stop` said so; the epochs finished until then are in the checkpoint."""


@dataclass(frozen=True)
class EpochReport:
    """How the training stands after an epoch, the first of which is 1. Losses are mean squared errors."""

    epoch: int
    epochs: int
    train_loss: float
    validation_mse: float
    seconds: float


@dataclass(frozen=True)
class TrainedModel:
    """`user_embeddings` [n_users, factors] and `item_embeddings` [n_items, factors], float32, and how it went."""

    user_embeddings: NDArray[np.float32]
    item_embeddings: NDArray[np.float32]
    reports: tuple[EpochReport, ...]


class State(NamedTuple):
    """What an epoch begins with. The user table has one row more than there are users, for the filling of batches."""

    users: Rows
    items: Rows
    step: jax.Array


def train(
    prepared: Prepared,
    config: PaperConfig,
    *,
    checkpoint_dir: Path | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainedModel:
    """Train from the last checkpoint of the same data and configuration, or from the start.

    The same data, configuration and machine give the same arrays, with or without an interruption.

    Args:
        prepared: from `preparation.prepare`.
        config: hyper-parameters.
        checkpoint_dir: where each finished epoch is kept; None keeps none.
        on_epoch: called after each epoch, once it is kept.
        should_stop: asked after each epoch.

    Raises:
        TrainingStopped: `should_stop` returned True.
    """
    n_users, n_items = len(prepared.user_ids), len(prepared.item_ids)
    batches = lay_out(
        prepared.train_users,
        prepared.train_items,
        prepared.train_ratings,
        n_users=n_users,
        batch_size=config.batch_size,
    )
    data = tuple(
        jax.device_put(array)
        for array in (batches.users, batches.user_places, batches.items, batches.ratings, batches.sizes)
    )
    validation = tuple(
        jax.device_put(array)
        for array in (prepared.validation_users, prepared.validation_items, prepared.validation_ratings)
    )
    key = jax.random.key(config.seed)
    identity = {"config": config.to_dict(), "fingerprint": prepared.fingerprint}
    state, reports = _restore(checkpoint_dir, identity) or (initial_state(key, n_users, n_items, config.factors), [])
    for epoch in range(len(reports) + 1, config.epochs + 1):
        started = time.perf_counter()
        # Each epoch's order follows from its number, so that a resumed training goes on as it would have.
        order = jax.random.permutation(jax.random.fold_in(key, epoch), len(batches))
        state, train_loss = run_epoch(state, order, data, learning_rate=config.learning_rate)
        validation_mse = _validate(state.users.values, state.items.values, *validation)
        report = EpochReport(
            epoch, config.epochs, float(train_loss), float(validation_mse), time.perf_counter() - started
        )
        reports.append(report)
        if not np.isfinite(report.train_loss):
            raise ValueError(f"the loss is {report.train_loss} in epoch {epoch}; try a smaller learning_rate")
        if checkpoint_dir is not None:
            _keep(checkpoint_dir, identity, state, reports)
        if on_epoch is not None:
            on_epoch(report)
        if should_stop is not None and should_stop():
            raise TrainingStopped(f"stopped after epoch {epoch} of {config.epochs}")
    return TrainedModel(
        user_embeddings=np.asarray(state.users.values[:n_users]),
        item_embeddings=np.asarray(state.items.values),
        reports=tuple(reports),
    )


def initial_state(key: jax.Array, n_users: int, n_items: int, factors: int) -> State:
    """The Flax module's fresh parameters, with moments of 0."""
    none = jnp.zeros(0, dtype=jnp.int32)
    params = PaperTwoTower(n_users + 1, n_items, factors).init(key, none, none)["params"]
    tables = [params[name]["embedding"] for name in ("users", "items")]
    users, items = (Rows(table, jnp.zeros_like(table), jnp.zeros_like(table)) for table in tables)
    return State(users, items, jnp.int32(0))


@partial(jax.jit, static_argnames="learning_rate", donate_argnums=0)
def run_epoch(
    state: State, order: jax.Array, data: tuple[jax.Array, ...], *, learning_rate: float
) -> tuple[State, jax.Array]:
    """One pass over the batches of `data` (the arrays of `Batches`) in `order` [n_batches]; also the mean loss."""
    # One wide table, so that a step reads and writes each of its rows once.
    table = jnp.concatenate(state.users, axis=1)
    last_steps = jnp.full(len(table), state.step)

    def step_on(carry: Any, batch: jax.Array) -> tuple[Any, jax.Array]:
        table, last_steps, items, step = carry
        rows, places, columns, ratings, size = (array[batch] for array in data)
        step = step + 1
        once = {"mode": "promise_in_bounds", "unique_indices": True, "indices_are_sorted": True}
        # The filling row comes several times; its weight is 0, so that every copy says the same.
        wide = table.at[rows].get(mode="promise_in_bounds", indices_are_sorted=True)
        users = lazy_nadam.catch_up(Rows(*jnp.split(wide, 3, axis=1)), last_steps[rows], step - 1, learning_rate)
        user = users.values.at[places].get(mode="promise_in_bounds", indices_are_sorted=True)
        item = items.values.at[columns].get(mode="promise_in_bounds")
        dot = (user * item).sum(axis=1)
        weights = (jnp.arange(len(ratings)) < size) / size
        errors = jax.nn.relu(dot) - ratings
        # The gradient of mean_squared_error through the ReLU, by hand: autodiff would build whole tables of zeros.
        slope = jnp.where(dot > 0, 2 * weights * errors, 0)[:, None]
        user_gradients = jax.ops.segment_sum(slope * item, places, len(rows), indices_are_sorted=True)
        item_gradients = jnp.zeros_like(items.values).at[columns].add(slope * user, mode="promise_in_bounds")
        floating = step.astype(jnp.float32)
        users = lazy_nadam.update(users, user_gradients, floating, learning_rate)
        items = lazy_nadam.update(items, item_gradients, floating, learning_rate)
        table = table.at[rows].set(jnp.concatenate(users, axis=1), **once)
        last_steps = last_steps.at[rows].set(step, **once)
        return (table, last_steps, items, step), (weights * errors**2).sum()

    carry = (table, last_steps, state.items, state.step)
    (table, last_steps, items, step), losses = jax.lax.scan(step_on, carry, order)
    users = lazy_nadam.catch_up(Rows(*jnp.split(table, 3, axis=1)), last_steps, step, learning_rate)
    return State(users, items, step), losses.mean()


@jax.jit
def _validate(
    user_table: jax.Array, item_table: jax.Array, users: jax.Array, items: jax.Array, ratings: jax.Array
) -> jax.Array:
    predicted = jax.nn.relu((user_table[users] * item_table[items]).sum(axis=1))
    return jnp.mean((predicted - ratings) ** 2)


def _keep(directory: Path, identity: dict[str, Any], state: State, reports: list[EpochReport]) -> None:
    names = ("values", "first_moments", "second_moments")
    arrays = {f"user_{name}": np.asarray(rows) for name, rows in zip(names, state.users, strict=True)}
    arrays |= {f"item_{name}": np.asarray(rows) for name, rows in zip(names, state.items, strict=True)}
    arrays["step"] = np.asarray(state.step)
    checkpoints.save(directory, len(reports), arrays, {**identity, "reports": [asdict(r) for r in reports]})


def _restore(directory: Path | None, identity: dict[str, Any]) -> tuple[State, list[EpochReport]] | None:
    kept = checkpoints.load_latest(directory, identity) if directory is not None else None
    if kept is None:
        return None
    names = ("values", "first_moments", "second_moments")
    users, items = (Rows(*(jnp.asarray(kept.arrays[f"{side}_{name}"]) for name in names)) for side in ("user", "item"))
    reports = [EpochReport(**report) for report in kept.meta["reports"]]
    logger.info("Going on from the checkpoint of epoch %s", len(reports))
    return State(users, items, jnp.asarray(kept.arrays["step"])), reports
