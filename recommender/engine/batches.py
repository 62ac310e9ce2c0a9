"""Training data laid out once for all epochs: batches of equal size, each in order of user."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Batches:
    """Shuffled interactions, cut into batches. Each has one row of every array.

    The last batch is filled up: with user row `n_users`, which no user has, and a `size` that leaves the filling out.

    Attributes:
        users: `[n_batches, n_distinct]` int32, the user rows of each batch, each once, ascending.
        user_places: `[n_batches, batch_size]` int32, where in `users` each interaction's user is.
        items: `[n_batches, batch_size]` int32.
        ratings: `[n_batches, batch_size]` float32.
        sizes: `[n_batches]` int32, how many interactions are real.
    """

    users: NDArray[np.int32]
    user_places: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float32]
    sizes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.sizes)


def lay_out(
    users: NDArray[Any], items: NDArray[Any], ratings: NDArray[Any], *, n_users: int, batch_size: int
) -> Batches:
    """Cut interactions `[n]`, already shuffled, into batches."""
    n = len(users)
    batch_size = min(batch_size, n)
    n_batches = -(-n // batch_size)
    shape = (n_batches, batch_size)

    def cut(values: NDArray[Any], filling: float, dtype: type) -> NDArray[Any]:
        whole: NDArray[Any] = np.full(n_batches * batch_size, filling, dtype=dtype)
        whole[:n] = values
        return whole.reshape(shape)

    batch_users = cut(users, n_users, np.int32)
    order = np.argsort(batch_users, axis=1, kind="stable")
    batch_users = np.take_along_axis(batch_users, order, axis=1)
    is_first = np.ones(shape, dtype=bool)
    is_first[:, 1:] = batch_users[:, 1:] != batch_users[:, :-1]
    places = np.cumsum(is_first, axis=1, dtype=np.int32) - 1
    distinct = np.full((n_batches, int(places.max()) + 1), n_users, dtype=np.int32)
    rows, columns = np.nonzero(is_first)
    distinct[rows, places[rows, columns]] = batch_users[rows, columns]
    sizes = np.full(n_batches, batch_size, dtype=np.int32)
    sizes[-1] = n - (n_batches - 1) * batch_size
    return Batches(
        users=distinct,
        user_places=places,
        items=np.take_along_axis(cut(items, 0, np.int32), order, axis=1),
        ratings=np.take_along_axis(cut(ratings, 0, np.float32), order, axis=1),
        sizes=sizes,
    )
