"""How far the distillation of the history model's towers is, to and from a checkpoint. Workers only: JAX."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from recommender.engine import checkpoints
from recommender.engine.history.config import HistoryConfig
from recommender.engine.ratings import RatingMatrix

Params = dict[str, jax.Array]


@dataclass(frozen=True)
class HistoryEpoch:
    """How the training stands after an epoch, the first of which is 1. `train_loss` is the distillation's."""

    epoch: int
    epochs: int
    train_loss: float
    seconds: float


@dataclass
class State:
    """What an epoch begins with.

    Attributes:
        params: the towers' parameters.
        optimiser: the optimiser's state, a tree of arrays.
        queue: `[n]`, the users who come next.
        rng: the state of the generator that draws users and parts of their histories.
        reports: of the epochs that are done.
    """

    params: Params
    optimiser: Any
    queue: NDArray[np.int64]
    rng: dict[str, Any]
    reports: list[HistoryEpoch]


class Keeper:
    """Keeps the state after each epoch in `directory`, for trainings of the same data, items and configuration."""

    def __init__(
        self, directory: Path, config: HistoryConfig, ratings: RatingMatrix, item_ids: NDArray[np.int64]
    ) -> None:
        self.directory = directory
        self.identity = {
            "config": config.to_dict(),
            "fingerprint": ratings.fingerprint(),
            "items": hashlib.sha256(np.ascontiguousarray(item_ids, dtype="<i8").tobytes()).hexdigest(),
        }

    def save(self, state: State) -> None:
        """Keep `state`. Raises OSError when the disk does not take it; what was kept before is still there."""
        arrays = {f"params_{name}": np.asarray(value) for name, value in state.params.items()}
        arrays |= {f"optimiser_{number}": leaf for number, leaf in enumerate(_leaves(state.optimiser))}
        meta = {**self.identity, "rng": state.rng, "reports": [asdict(report) for report in state.reports]}
        checkpoints.save(self.directory, len(state.reports), {**arrays, "queue": state.queue}, meta)

    def restore(self, names: Sequence[str], optimiser: Any) -> State | None:
        """The last state that was kept, or None.

        Args:
            names: of the parameters.
            optimiser: makes the empty state of the optimiser for parameters; what was kept is put in its place.
        """
        kept = checkpoints.load_latest(self.directory, self.identity)
        if kept is None:
            return None
        params = {name: jnp.asarray(kept.arrays[f"params_{name}"]) for name in names}
        leaves, tree = jax.tree.flatten(optimiser.init(params))
        leaves = [jnp.asarray(kept.arrays[f"optimiser_{number}"]) for number in range(len(leaves))]
        return State(
            params,
            jax.tree.unflatten(tree, leaves),
            kept.arrays["queue"],
            kept.meta["rng"],
            [HistoryEpoch(**report) for report in kept.meta["reports"]],
        )


def _leaves(tree: Any) -> list[NDArray[Any]]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
