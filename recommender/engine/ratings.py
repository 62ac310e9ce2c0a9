"""Who rated what: the input of every model."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Watched, and not rated.
UNRATED = -1
MIN_RATING, MAX_RATING = 1, 10


@dataclass(frozen=True)
class RatingMatrix:
    """A sparse matrix of users by items, one entry an interaction, in order of user and then item.

    Attributes:
        user_ids: `[n_users]` int64, sorted: the id of each row.
        item_ids: `[n_items]` int64, sorted: the id of each column.
        users: `[n]` int32, the row of each interaction.
        items: `[n]` int32, its column.
        ratings: `[n]` int8, 1 to 10, or UNRATED.
    """

    user_ids: NDArray[np.int64]
    item_ids: NDArray[np.int64]
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ratings: NDArray[np.int8]

    @classmethod
    def from_arrays(cls, user_ids: NDArray[Any], item_ids: NDArray[Any], ratings: NDArray[Any]) -> "RatingMatrix":
        """Sort and index interactions, given as three arrays `[n]` of user id, item id and rating.

        Raises:
            ValueError: arrays of unequal length, a rating out of range, or a pair of user and item that comes
                twice; the message names the first.
        """
        if not len(user_ids) == len(item_ids) == len(ratings):
            raise ValueError(f"{len(user_ids)} users, {len(item_ids)} items and {len(ratings)} ratings do not match")
        wrong = np.flatnonzero((ratings != UNRATED) & ((ratings < MIN_RATING) | (ratings > MAX_RATING)))
        if len(wrong):
            first = wrong[0]
            raise ValueError(
                f"user {user_ids[first]} rated item {item_ids[first]} {ratings[first]}: "
                f"a rating is {MIN_RATING} to {MAX_RATING}, or {UNRATED} for none"
            )
        known_users, users = np.unique(user_ids, return_inverse=True)
        known_items, items = np.unique(item_ids, return_inverse=True)
        place = users.astype(np.int64) * len(known_items) + items
        order = np.argsort(place, kind="stable")
        place = place[order]
        twice = np.flatnonzero(place[1:] == place[:-1])
        if len(twice):
            first = order[twice[0]]
            raise ValueError(f"user {user_ids[first]} has two ratings of item {item_ids[first]}")
        return cls(
            user_ids=known_users.astype(np.int64),
            item_ids=known_items.astype(np.int64),
            users=users[order].astype(np.int32),
            items=items[order].astype(np.int32),
            ratings=np.asarray(ratings)[order].astype(np.int8),
        )

    def __len__(self) -> int:
        return len(self.ratings)

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @cached_property
    def indptr(self) -> NDArray[np.int64]:
        """`[n_users + 1]`: user u's interactions are the entries `indptr[u]` to `indptr[u + 1]`."""
        counts = np.bincount(self.users, minlength=self.n_users)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def select(self, entries: NDArray[np.bool_]) -> "RatingMatrix":
        """Only the entries of this mask `[n]`, with the users and items that are left."""
        users, items = self.users[entries], self.items[entries]
        # The order stays, so that counting does what sorting would.
        has_user = np.bincount(users, minlength=self.n_users) > 0
        has_item = np.bincount(items, minlength=self.n_items) > 0
        return RatingMatrix(
            user_ids=self.user_ids[has_user],
            item_ids=self.item_ids[has_item],
            users=(np.cumsum(has_user, dtype=np.int32) - np.int32(1))[users],
            items=(np.cumsum(has_item, dtype=np.int32) - np.int32(1))[items],
            ratings=self.ratings[entries],
        )

    def fingerprint(self) -> str:
        """SHA-256 of the interactions, whatever the order in which they came."""
        digest = hashlib.sha256()
        for array in (self.user_ids, self.item_ids, self.users, self.items, self.ratings):
            digest.update(f"{len(array)}:".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
