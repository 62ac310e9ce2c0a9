"""Training data laid out once for all epochs: rounds of batches, each batch from one group of users.

A step of training then reads and writes the rows of one group, which lie together, instead of the whole user table.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Batches:
    """Shuffled interactions, cut into rounds that have one batch of each group of users.

    Batches shorter than the longest are filled up; `sizes` leaves the filling out.

    Attributes:
        slots: `[n_users]` int64, the place of each user: `group * group_size + row`.
        group_size: how many rows a group has.
        rows: `[n_rounds, n_groups, width]` int32, the row of each interaction's user in its group, ascending.
        items: `[n_rounds, n_groups, width]` int32.
        ratings: `[n_rounds, n_groups, width]` float32.
        sizes: `[n_rounds, n_groups]` int32, how many interactions are real.
    """

    slots: NDArray[np.int64]
    group_size: int
    rows: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.float32]
    sizes: NDArray[np.int32]

    @property
    def n_rounds(self) -> int:
        return len(self.sizes)

    @property
    def n_groups(self) -> int:
        return int(self.sizes.shape[1])


def lay_out(
    users: NDArray[Any],
    items: NDArray[Any],
    ratings: NDArray[Any],
    *,
    n_users: int,
    batch_size: int,
    users_per_group: int,
    seed: int,
) -> Batches:
    """Cut interactions `[n]`, already shuffled, into batches of at most `batch_size`.

    Args:
        users, items, ratings: `[n]` each.
        n_users: how many users there are.
        batch_size: most interactions in a batch; all batches of a group have about the same number.
        users_per_group: about how many users a group has; fewer than twice as many are one group.
        seed: of who is in which group.
    """
    n_groups = max(1, n_users // users_per_group)
    group_size = -(-n_users // n_groups)
    slots = np.random.default_rng(seed).permutation(n_users)
    groups, rows = np.divmod(slots.astype(np.int32)[users], np.int32(group_size))

    # Sorting numbers of 2 bytes takes a tenth of the time that sorting longer ones does.
    by_group = np.argsort(groups.astype(np.uint16), kind="stable")
    counts = np.bincount(groups, minlength=n_groups)
    n_rounds = -(-int(counts.max()) // batch_size)
    ends = np.cumsum(counts)
    cuts = [np.linspace(end - count, end, n_rounds + 1).astype(int) for count, end in zip(counts, ends, strict=True)]
    sizes = np.diff(cuts, axis=1).T
    shape = (n_rounds, n_groups, int(sizes.max()))
    laid = Batches(
        slots=slots,
        group_size=group_size,
        rows=np.full(shape, group_size - 1, dtype=np.int32),
        items=np.zeros(shape, dtype=np.int32),
        ratings=np.zeros(shape, dtype=np.float32),
        sizes=sizes.astype(np.int32),
    )
    for round_, group in np.ndindex(n_rounds, n_groups):
        chosen = by_group[cuts[group][round_] : cuts[group][round_ + 1]]
        chosen = chosen[np.argsort(rows[chosen], kind="stable")]
        batch = (round_, group, slice(len(chosen)))
        laid.rows[batch], laid.items[batch], laid.ratings[batch] = rows[chosen], items[chosen], ratings[chosen]
    return laid
