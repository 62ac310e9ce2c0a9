"""The teacher of the history towers: a full-rank linear model from the anime of a history to all others.

EASE-R (Steck, 2019, "Embarrassingly shallow autoencoders") with the regularisation of a denoising autoencoder
(EDLAE; Steck, 2020): the ridge of an item grows with its interactions. Titles of one franchise count as if some users
had watched just these (collective EASE; Jeunen et al., 2020).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

Floats = NDArray[np.float32]


def gram(interactions: sparse.csr_matrix) -> Floats:
    """How often two items were watched by one user `[n_items, n_items]`, of interactions `[n_users, n_items]`."""
    products: Floats = np.asarray((interactions.T @ interactions).todense(), dtype=np.float32)
    return products


def item_weights(products: Floats, ridge: NDArray[Any]) -> Floats:
    """Weights B `[n_items, n_items]`, zero on the diagonal, that best reconstruct the interactions X as X B.

    Args:
        products: the Gram matrix of X; left as it is.
        ridge: `[n_items]`, added to its diagonal; above 0.

    Raises:
        ValueError: the regularised matrix cannot be inverted.
    """
    regularised = products.copy()
    regularised[np.diag_indices(len(products))] += ridge.astype(np.float32)
    try:
        inverse = linalg.inv(regularised, overwrite_a=True, check_finite=False)
    except linalg.LinAlgError as error:
        raise ValueError("the interactions cannot be regularised; use a larger l2") from error
    if not np.isfinite(inverse[0, 0]) or (np.diag(inverse) <= 0).any():
        raise ValueError("the interactions are not regularised enough; use a larger l2 or a smaller franchise_weight")
    weights: Floats = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def low_rank(
    weights: Floats, products: Floats, emphasis: NDArray[Any], rank: int, *, seed: int, iterations: int = 4
) -> tuple[Floats, Floats]:
    """Factors `(inputs, outputs)`, both `[n_items, rank]`, with `inputs @ outputs.T` near `weights`.

    Near in the predictions for the users behind `products`, an item's error counting `emphasis` [n_items] times.
    The principal directions are found by randomised subspace iteration (Halko et al., 2011).
    """
    rank = min(rank, len(weights))
    scaled = weights * emphasis.astype(np.float32)
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((len(weights), min(rank + 32, len(weights))), dtype=np.float32)
    for _ in range(iterations):
        basis, _ = linalg.qr(basis, mode="economic", overwrite_a=True, check_finite=False)
        basis = scaled.T @ (products @ (scaled @ basis))
    basis, _ = linalg.qr(basis, mode="economic", overwrite_a=True, check_finite=False)
    projected = scaled @ basis
    _, directions = linalg.eigh(projected.T @ (products @ projected), check_finite=False)
    directions = directions[:, ::-1][:, :rank]
    inputs = projected @ directions
    outputs = (basis @ directions) / emphasis[:, None].astype(np.float32)
    # Factors of one length each, so that one learning rate suits both sides.
    balance = np.sqrt(np.linalg.norm(outputs, axis=0) / np.maximum(np.linalg.norm(inputs, axis=0), 1e-12))
    return (inputs * balance).astype(np.float32), (outputs / np.maximum(balance, 1e-12)).astype(np.float32)
