"""Our training against a plain loop over batches: `python -m benchmarks.training`.

The plain loop is the paper's: one jitted step a batch, fed from numpy arrays, with `optax.nadam` for the whole tables.
Both train the same Flax module from the same parameters on the same batches of 10,000. They take turns, an epoch each,
in one process; the first epochs, in which they compile, do not count. An epoch includes its validation.
"""

import argparse
import statistics
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd

from benchmarks.generated import kaggle_sized
from benchmarks.results import write_result
from recommender.engine.paper.config import PaperConfig
from recommender.engine.paper.model import PaperTwoTower, mean_squared_error
from recommender.engine.paper.preparation import prepare
from recommender.engine.paper.training import train
from recommender.engine.ratings import RatingMatrix

REAL = Path(__file__).parents[2] / "shared" / "data" / "anime" / "rating.csv"


def plain_epochs(prepared, config, *, donate):
    """Train as the paper does, and yield (seconds, validation error) of epoch after epoch.

    With `donate` a step may reuse the memory of the parameters that it was given, which the paper's does not.
    """
    model = PaperTwoTower(len(prepared.user_ids) + 1, len(prepared.item_ids), config.factors)
    optimiser = optax.nadam(config.learning_rate)

    def loss(params, users, items, ratings):
        return mean_squared_error(model.apply(params, users, items), ratings)

    def step(params, state, users, items, ratings):
        value, gradients = jax.value_and_grad(loss)(params, users, items, ratings)
        updates, state = optimiser.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, value

    step = jax.jit(step, donate_argnums=(0, 1) if donate else ())
    validate = jax.jit(loss)
    key = jax.random.key(config.seed)
    none = jnp.zeros(0, dtype=jnp.int32)
    params = model.init(key, none, none)
    state = optimiser.init(params)
    rows = (prepared.train_users, prepared.train_items, prepared.train_ratings)
    starts = np.arange(0, len(prepared.train_users), config.batch_size)
    validation = [
        jax.device_put(array)
        for array in (prepared.validation_users, prepared.validation_items, prepared.validation_ratings)
    ]
    epoch = 0
    while True:
        epoch += 1
        began = time.perf_counter()
        order = jax.random.permutation(jax.random.fold_in(key, epoch), len(starts))
        losses = []
        for start in starts[np.asarray(order)]:
            params, state, value = step(params, state, *(array[start : start + config.batch_size] for array in rows))
            losses.append(value)
        mse = float(validate(params, *validation))
        jax.block_until_ready(losses)
        yield time.perf_counter() - began, mse


def compare(label, prepared, config):
    """Figures of one data set; the plain loops take their turn after each of our epochs."""
    peers = {
        "plain loop": plain_epochs(prepared, config, donate=False),
        "plain loop with donated buffers": plain_epochs(prepared, config, donate=True),
    }
    times = {name: [] for name in peers}
    errors = {}

    def take_turns(report):
        for name, epochs in peers.items():
            took, errors[name] = next(epochs)
            times[name].append(took)
        print(f"{label}: epoch {report.epoch}, {report.seconds:.2f} s, {report.validation_mse:.4f}", flush=True)
        print({name: (round(times[name][-1], 2), round(errors[name], 4)) for name in peers}, flush=True)

    reports = train(prepared, config, on_epoch=take_turns).reports
    ours = [report.seconds for report in reports[1:]]
    last = reports[-1].validation_mse
    figures = [
        {"name": f"epoch of ours, {label}", "value": statistics.median(ours), "unit": "s"},
        {"name": f"validation error of ours after {config.epochs} epochs, {label}", "value": last, "unit": "MSE"},
    ]
    for name in peers:
        ratios = [theirs / own for theirs, own in zip(times[name][1:], ours, strict=True)]
        figures += [
            {
                "name": f"epoch of {name} / epoch of ours, {label}",
                "ratio": statistics.median(ratios),
                "spread": [min(ratios), max(ratios)],
                "unit": "times our time",
            },
            {
                "name": f"validation error of {name} after {config.epochs} epochs, {label}",
                "value": errors[name],
                "unit": "MSE",
            },
        ]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=35, help="on generated data; on the real data all 35")
    arguments = parser.parse_args()
    generated = prepare(kaggle_sized(), seed=0)
    described = (
        f"generated, seed 0: {len(generated.train_ratings):,} ratings, {len(generated.user_ids):,} users, "
        f"{len(generated.item_ids):,} anime, fingerprint {generated.fingerprint[:12]}"
    )
    figures = compare("generated", generated, PaperConfig(epochs=arguments.epochs))
    if REAL.exists():
        real = prepare(RatingMatrix.from_arrays(*pd.read_csv(REAL).to_numpy().T), seed=0)
        described += f"; real: {len(real.train_ratings):,} ratings, fingerprint {real.fingerprint[:12]}"
        figures += compare("real", real, PaperConfig())
    write_result(
        "training",
        command=f"python -m benchmarks.training --epochs {arguments.epochs}",
        data=described,
        figures=figures,
    )


if __name__ == "__main__":
    main()
