"""The paper's model (section "Model"): a two-tower network whose towers are embeddings."""

import jax
import jax.numpy as jnp
from flax import linen as nn

#: Where a dot product of two fresh embeddings lies on average: near the mean of real ratings.
INITIAL_PREDICTION = 8.0


class PaperTwoTower(nn.Module):
    """Predicted rating: the ReLU of the dot product of a user's and an item's embedding.

    The embeddings begin uniform between 0 and a bound that puts the first predictions around INITIAL_PREDICTION.
    Flax's default, symmetric around 0, would leave half of all pairs where the ReLU has no gradient.
    """

    n_users: int
    n_items: int
    factors: int = 32

    @nn.compact
    def __call__(self, users: jax.Array, items: jax.Array) -> jax.Array:
        """Predictions `[n]` for the pairs of `users` [n] and `items` [n], indices of rows."""
        init = nn.initializers.uniform(scale=2 * (INITIAL_PREDICTION / self.factors) ** 0.5)
        user = nn.Embed(self.n_users, self.factors, embedding_init=init, name="users")(users)
        item = nn.Embed(self.n_items, self.factors, embedding_init=init, name="items")(items)
        return nn.relu((user * item).sum(axis=-1))


def mean_squared_error(predicted: jax.Array, ratings: jax.Array) -> jax.Array:
    """The paper's loss, a scalar, of predictions `[n]` against ratings `[n]`."""
    return jnp.mean((predicted - ratings) ** 2)
