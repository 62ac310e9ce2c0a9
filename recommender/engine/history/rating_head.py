"""The second head: which rating a user would give, from the ratings of the history.

Biases of users and items, and a factorisation of what they leave whose uncertainty is carried along (variational
Bayes; Lim and Teh, 2007), so that an item with three ratings does not count like one with three thousand.
A user has no row: `towers.predict_ratings` computes the user's side from the history.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.engine.history.model import NOISE_VARIANCE, SHRINKAGE, RatingHead

#: Precision of the items' prior, the users' being 1.
ITEM_PRECISION = 30.0
USERS_PER_BLOCK = 4096


def fit(ratings: sparse.csr_matrix, *, factors: int, iterations: int, seed: int) -> RatingHead:
    """Fit the head to `ratings` `[n_users, n_items]`, whose stored entries are ratings 1 to 10.

    Raises:
        ValueError: there is no rating.
    """
    if ratings.nnz == 0:
        raise ValueError("there are no ratings to predict from")
    n_users, n_items = ratings.shape
    users = np.repeat(np.arange(n_users), np.diff(ratings.indptr))
    items = ratings.indices
    values = ratings.data.astype(np.float64)
    mean = float(values.mean())
    user_biases, item_biases = _biases(users, items, values - mean, n_users, n_items)
    left = sparse.csr_matrix(
        ((values - mean - user_biases[users] - item_biases[items]).astype(np.float32), items, ratings.indptr),
        shape=ratings.shape,
    )
    embeddings, variances = _factorise(left, factors, iterations, seed)
    return RatingHead(mean, item_biases.astype(np.float32), embeddings, variances)


def _biases(
    users: NDArray[Any], items: NDArray[Any], values: NDArray[np.float64], n_users: int, n_items: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    user_biases = np.zeros(n_users)
    item_biases = np.zeros(n_items)
    of_user = np.bincount(users, minlength=n_users) + SHRINKAGE
    of_item = np.bincount(items, minlength=n_items) + SHRINKAGE
    for _ in range(10):
        item_biases = np.bincount(items, values - user_biases[users], n_items) / of_item
        user_biases = np.bincount(users, values - item_biases[items], n_users) / of_user
    return user_biases, item_biases


def _factorise(
    left: sparse.csr_matrix, factors: int, iterations: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    n_users, n_items = left.shape
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(0, 0.1, (n_items, factors)).astype(np.float32)
    covariances = np.zeros((n_items, factors, factors), dtype=np.float32)
    prior = np.eye(factors, dtype=np.float32)
    for _ in range(iterations):
        # Second moments of the items; summed over a history they are the precision of its user.
        moments = (embeddings[:, :, None] * embeddings[:, None, :] + covariances).reshape(n_items, -1)
        precisions = np.zeros((n_items, factors * factors), dtype=np.float32)
        sums = np.zeros((n_items, factors), dtype=np.float32)
        for start in range(0, n_users, USERS_PER_BLOCK):
            block = left[start : start + USERS_PER_BLOCK]
            rated = sparse.csr_matrix((np.ones_like(block.data), block.indices, block.indptr), shape=block.shape)
            of_users = (rated @ moments).reshape(-1, factors, factors) / NOISE_VARIANCE + prior
            user_covariances = np.linalg.inv(of_users)
            users = np.einsum("ukl,ul->uk", user_covariances, (block @ embeddings) / NOISE_VARIANCE)
            user_moments = users[:, :, None] * users[:, None, :] + user_covariances
            precisions += rated.T @ user_moments.reshape(len(users), -1)
            sums += block.T @ users
        of_items = precisions.reshape(n_items, factors, factors) / NOISE_VARIANCE + ITEM_PRECISION * prior
        covariances = np.linalg.inv(of_items)
        embeddings = np.einsum("ikl,il->ik", covariances, sums / NOISE_VARIANCE)
    return embeddings, np.ascontiguousarray(np.diagonal(covariances, axis1=1, axis2=2))
