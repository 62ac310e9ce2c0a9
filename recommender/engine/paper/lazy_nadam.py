"""Nadam that leaves alone the rows of a table that a batch has no gradients for.

`optax.nadam` moves every row in every step: one without a gradient still moves by its decaying momentum. With a
zero gradient for k steps the moments shrink by b1^k and b2^k, and the row moves by a sum that is geometric but for
the bias corrections, which hardly change within it. So rows can be left alone until they are needed and then be
caught up in closed form. Dozat, "Incorporating Nesterov Momentum into Adam", 2016, as optax has it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

B1, B2, EPS = 0.9, 0.999, 1e-8
#: A step without gradient moves a row by this share of the step before.
RATIO = B1 / B2**0.5


class Rows(NamedTuple):
    """Rows of a table and their moments, each `[..., factors]`."""

    values: jax.Array
    first_moments: jax.Array
    second_moments: jax.Array


def update(rows: Rows, gradients: jax.Array, step: jax.Array, learning_rate: float) -> Rows:
    """One step of Nadam with `gradients` [..., factors]; the first `step` is 1."""
    first = B1 * rows.first_moments + (1 - B1) * gradients
    second = B2 * rows.second_moments + (1 - B2) * gradients**2
    corrected = B1 * first / (1 - _power(B1, step + 1)) + (1 - B1) * gradients / (1 - _power(B1, step))
    scale = jnp.sqrt(second / (1 - _power(B2, step))) + EPS
    return Rows(rows.values - learning_rate * corrected / scale, first, second)


def catch_up(rows: Rows, last_step: jax.Array, step: jax.Array, learning_rate: float) -> Rows:
    """The rows as they are after `step`, when they were last updated in `last_step` and had no gradient since.

    `last_step` is a number, or an array that broadcasts against the rows; 0 or less for rows without an update yet.
    """
    last = jnp.maximum(last_step, 0).astype(jnp.float32)
    steps = step.astype(jnp.float32) - last
    geometric = RATIO * (1 - _power(RATIO, steps)) / (1 - RATIO)
    # The bias corrections of the middle of these steps, as far as they count, stand for those of all.
    middle = last + (1 + jnp.minimum(steps, 2 / (1 - RATIO) - 1)) / 2
    corrections = B1 * jnp.sqrt(1 - _power(B2, middle)) / (1 - _power(B1, middle + 1))
    moved = learning_rate * geometric * corrections * rows.first_moments / (jnp.sqrt(rows.second_moments) + EPS)
    return Rows(
        rows.values - moved,
        rows.first_moments * _power(B1, steps),
        rows.second_moments * _power(B2, steps),
    )


def _power(base: float, exponent: jax.Array) -> jax.Array:
    """base ** exponent by exp, which vectorises where the general power does not."""
    return jnp.exp(jnp.log(base) * exponent)
