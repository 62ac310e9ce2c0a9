"""Training of the paper's model: an epoch is one compiled scan over batches that lie on the device.

The plain loop spends most of a step on `optax.nadam` for tens of thousands of users of whom a batch has a few
thousand. Here users are dealt into groups, each batch is of one group, and a step touches the rows of that group
(`batches`); when their turn comes again they are caught up (`lazy_nadam`). With one group, as on small data, every
step is exactly that of `optax.nadam`. `benchmarks/training.py` compares the two.
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

from recommender.engine import checkpoints
from recommender.engine.config import TrainingStopped
from recommender.engine.paper import lazy_nadam
from recommender.engine.paper.batches import lay_out
from recommender.engine.paper.config import PaperConfig
from recommender.engine.paper.lazy_nadam import Rows
from recommender.engine.paper.model import PaperTwoTower
from recommender.engine.paper.preparation import Prepared

logger = logging.getLogger(__name__)

#: Few enough that their rows stay in a core's cache; enough for the batches of a group to be much like those of all:
#: with 512 the validation error of benchmarks/training.py jumps about.
USERS_PER_GROUP = 2048


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
    """What an epoch begins with: `users` [n_groups, group_size, factors], each group as of its last batch; `items`."""

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
    layout = lay_out(
        prepared.train_users,
        prepared.train_items,
        prepared.train_ratings,
        n_users=len(prepared.user_ids),
        batch_size=config.batch_size,
        users_per_group=USERS_PER_GROUP,
        seed=config.seed,
    )
    data = tuple(jax.device_put(array) for array in (layout.rows, layout.items, layout.ratings, layout.sizes))
    validation = tuple(
        jax.device_put(array)
        for array in (
            layout.slots[prepared.validation_users].astype(np.int32),
            prepared.validation_items,
            prepared.validation_ratings,
        )
    )
    key = jax.random.key(config.seed)
    identity = {
        "config": config.to_dict(),
        "fingerprint": prepared.fingerprint,
        "groups": [layout.n_groups, layout.group_size],
    }
    state, reports = _restore(checkpoint_dir, identity) or (
        initial_state(key, layout.n_groups, layout.group_size, len(prepared.item_ids), config.factors),
        [],
    )
    for epoch in range(len(reports) + 1, config.epochs + 1):
        started = time.perf_counter()
        # Each epoch's order follows from its number, so that a resumed training goes on as it would have.
        order = jax.random.permutation(jax.random.fold_in(key, epoch), layout.n_rounds)
        state, train_loss = run_epoch(state, order, data, learning_rate=config.learning_rate)
        user_table = current_users(state, learning_rate=config.learning_rate)
        validation_mse = _validate(user_table, state.items.values, *validation)
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
    user_table = current_users(state, learning_rate=config.learning_rate)
    return TrainedModel(
        user_embeddings=np.asarray(user_table)[layout.slots],
        item_embeddings=np.asarray(state.items.values),
        reports=tuple(reports),
    )


def initial_state(key: jax.Array, n_groups: int, group_size: int, n_items: int, factors: int) -> State:
    """The Flax module's fresh parameters, with moments of 0."""
    none = jnp.zeros(0, dtype=jnp.int32)
    params = PaperTwoTower(n_groups * group_size, n_items, factors).init(key, none, none)["params"]
    user_table = params["users"]["embedding"].reshape(n_groups, group_size, factors)
    item_table = params["items"]["embedding"]
    users, items = (Rows(table, jnp.zeros_like(table), jnp.zeros_like(table)) for table in (user_table, item_table))
    return State(users, items, jnp.int32(0))


@partial(jax.jit, static_argnames="learning_rate", donate_argnums=0)
def run_epoch(
    state: State, order: jax.Array, data: tuple[jax.Array, ...], *, learning_rate: float
) -> tuple[State, jax.Array]:
    """Train on the rounds of `data` (the arrays of `Batches`) in `order` [n_rounds]; also the mean loss."""
    n_groups = len(state.users.values)

    def step_on(carry: Any, batch: Any) -> Any:
        items, step = carry
        users, (rows, columns, ratings, size) = batch
        step = step + 1
        users = lazy_nadam.catch_up(users, step - n_groups, step - 1, learning_rate)
        user = users.values.at[rows].get(mode="promise_in_bounds", indices_are_sorted=True)
        item = items.values.at[columns].get(mode="promise_in_bounds")
        dot = (user * item).sum(axis=1)
        weights = (jnp.arange(len(ratings)) < size) / jnp.maximum(size, 1)
        errors = jax.nn.relu(dot) - ratings
        # The gradient of mean_squared_error through the ReLU, by hand: autodiff takes half as long again.
        slope = jnp.where(dot > 0, 2 * weights * errors, 0)[:, None]
        user_gradients = (
            jnp.zeros_like(users.values).at[rows].add(slope * item, mode="promise_in_bounds", indices_are_sorted=True)
        )
        item_gradients = jnp.zeros_like(items.values).at[columns].add(slope * user, mode="promise_in_bounds")
        floating = step.astype(jnp.float32)
        users = lazy_nadam.update(users, user_gradients, floating, learning_rate)
        items = lazy_nadam.update(items, item_gradients, floating, learning_rate)
        return (items, step), (users, (weights * errors**2).sum())

    def run_round(carry: State, round_: jax.Array) -> tuple[State, jax.Array]:
        batches = tuple(array[round_] for array in data)
        (items, step), (users, losses) = jax.lax.scan(step_on, (carry.items, carry.step), (carry.users, batches))
        return State(users, items, step), losses.mean()

    state, losses = jax.lax.scan(run_round, state, order)
    return state, losses.mean()


@partial(jax.jit, static_argnames="learning_rate")
def current_users(state: State, *, learning_rate: float) -> jax.Array:
    """`[n_groups * group_size, factors]`: the user table with every group caught up to the last step."""
    n_groups, _, factors = state.users.values.shape
    last_steps = state.step - n_groups + 1 + jnp.arange(n_groups)
    users = lazy_nadam.catch_up(state.users, last_steps[:, None, None], state.step, learning_rate)
    return users.values.reshape(-1, factors)


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
