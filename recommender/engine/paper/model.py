"""The paper's model (section "Model"): a two-tower network whose towers are embeddings."""

import jax
import jax.numpy as jnp
from flax import linen as nn


class PaperTwoTower(nn.Module):
    """Predicted rating: the ReLU of the dot product of a user's and an item's embedding.

    The embeddings begin as Flax's default has them, normal around 0, as in the paper's code. Half of all pairs then
    start where the ReLU has no gradient; every user and item has others that pull it out. A start where no pair is
    dead predicts ratings a little better and ranks far worse: rare items keep the long vectors they began with.
    """

    n_users: int
    n_items: int
    factors: int = 32

    @nn.compact
    def __call__(self, users: jax.Array, items: jax.Array) -> jax.Array:
        """Predictions `[n]` for the pairs of `users` [n] and `items` [n], indices of rows."""
        user = nn.Embed(self.n_users, self.factors, name="users")(users)
        item = nn.Embed(self.n_items, self.factors, name="items")(items)
        return nn.relu((user * item).sum(axis=-1))


def mean_squared_error(predicted: jax.Array, ratings: jax.Array) -> jax.Array:
    """The paper's loss, a scalar, of predictions `[n]` against ratings `[n]`."""
    return jnp.mean((predicted - ratings) ** 2)
