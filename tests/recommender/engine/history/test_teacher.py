import numpy as np
import pytest
from scipy import sparse

from recommender.engine.history.teacher import gram, item_weights, low_rank

RNG = np.random.default_rng(5)
WATCHED = (RNG.random((60, 12)) < 0.3).astype(np.float32)
PRODUCTS = gram(sparse.csr_matrix(WATCHED))


def test_each_column_is_the_ridge_regression_on_all_other_items():
    ridge = 2 + RNG.random(12)
    weights = item_weights(PRODUCTS, ridge)
    for item in range(12):
        others = np.delete(np.arange(12), item)
        expected = np.linalg.solve(
            WATCHED[:, others].T @ WATCHED[:, others] + np.diag(ridge[others]), WATCHED[:, others].T @ WATCHED[:, item]
        )
        np.testing.assert_allclose(weights[others, item], expected, atol=1e-5)
        assert weights[item, item] == 0


def test_the_gram_matrix_counts_who_watched_both():
    np.testing.assert_array_equal(PRODUCTS, WATCHED.T @ WATCHED)


def test_full_rank_keeps_the_weights_and_a_low_rank_the_best_of_them():
    weights = item_weights(PRODUCTS, np.full(12, 3.0))
    inputs, outputs = low_rank(weights, PRODUCTS, np.ones(12), 12, seed=0)
    np.testing.assert_allclose(inputs @ outputs.T, weights, atol=1e-4)

    inputs, outputs = low_rank(weights, PRODUCTS, np.ones(12), 5, seed=0)
    root = np.linalg.cholesky(PRODUCTS + 1e-4 * np.eye(12)).T
    singular = np.linalg.svd(root @ weights, compute_uv=False)
    error = np.linalg.norm(root @ (weights - inputs @ outputs.T))
    assert error == pytest.approx(np.sqrt((singular[5:] ** 2).sum()), rel=1e-2)


def test_too_little_regularisation_is_refused():
    with pytest.raises(ValueError, match="larger l2"):
        item_weights(PRODUCTS - 30 * np.eye(12, dtype=np.float32), np.full(12, 1e-3))
