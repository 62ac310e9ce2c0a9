"""The retrieval model: a user tower that reads a history, an item tower, and a dot product. Workers only: JAX.

There is no table of users. The user tower adds a vector for each anime of the history, and one entry that falls with
the length of the history and meets each item's popularity. Both towers are distilled from a full-rank item-item model
(`item_item`), which they follow on random parts of histories; `towers` computes them without JAX. A second vector of
each anime, which matters where the history is short, follows in closed form.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from numpy.typing import NDArray
from scipy import linalg, sparse

from recommender.engine.config import TrainingStopped
from recommender.engine.history import rating_head, warm_start
from recommender.engine.history import teacher as item_item
from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.content import ItemContent, content_kernel, title_similarity
from recommender.engine.history.model import HistoryModel
from recommender.engine.history.state import HistoryEpoch, Keeper, Params, State
from recommender.engine.ratings import UNRATED, RatingMatrix

#: Shares of a history, lowest and highest, that the towers are shown in training.
SHOWN = (0.2, 0.8)
#: Popular items are seen more often, so the start of the towers follows the teacher more closely on them.
EMPHASIS = 0.3
#: Ridge of the regression from content to vectors, with 1 for an item's likeness to itself.
CONTENT_RIDGE = 1.0
_NEVER = -1e9
PARAMS = ("inputs", "outputs", "popularity")

logger = logging.getLogger(__name__)


class HistoryTwoTower(nn.Module):
    """Scores of all items for histories, as dot products of the towers' vectors `[factors]`."""

    n_items: int
    factors: int

    def setup(self) -> None:
        init = nn.initializers.normal(0.01)
        self.inputs = self.param("inputs", init, (self.n_items, self.factors - 1))
        self.outputs = self.param("outputs", init, (self.n_items, self.factors - 1))
        self.popularity = self.param("popularity", nn.initializers.zeros, (self.n_items,))

    def users(self, histories: jax.Array) -> jax.Array:
        """User vectors `[n, factors]` of multi-hot `histories` [n, n_items]."""
        return jnp.concatenate([histories @ self.inputs, _length(histories) ** -0.5], axis=1)

    def items(self) -> jax.Array:
        """Item vectors `[n_items, factors]`."""
        return jnp.concatenate([self.outputs, self.popularity[:, None]], axis=1)

    def __call__(self, histories: jax.Array) -> jax.Array:
        return self.users(histories) @ self.items().T


def distillation_loss(
    scores: jax.Array, teacher: jax.Array, histories: jax.Array, temperature: float, decay: float
) -> jax.Array:
    """Kullback-Leibler divergence, a scalar, of the softmax over the unwatched items from the teacher's: 0 is its copy.

    All are `[n, n_items]`. Both are sharpened by `temperature / length ** decay`, because scores add up over a history.
    """
    sharpness = temperature * _length(histories) ** -decay
    watched = histories > 0
    log_target = jax.nn.log_softmax(jnp.where(watched, _NEVER, sharpness * teacher))
    log_probabilities = jax.nn.log_softmax(jnp.where(watched, _NEVER, sharpness * scores))
    differences = jnp.exp(log_target) * (log_target - log_probabilities)
    return jnp.where(watched, 0, differences).sum(axis=1).mean()


def train(
    ratings: RatingMatrix,
    content: ItemContent,
    config: HistoryConfig,
    *,
    begin_with: HistoryModel | None = None,
    checkpoint_dir: Path | None = None,
    on_epoch: Callable[[HistoryEpoch], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> HistoryModel:
    """Train on all interactions of `ratings`, those without a rating and of users with one rating included.

    The same data, content, configuration and machine give the same arrays, with or without an interruption.

    Args:
        ratings: every item must be in `content`.
        content: the whole catalogue; each of its items gets a vector.
        begin_with: whose towers the distillation begins with; `warm_start.can_continue` says whether it may.
        checkpoint_dir: where each finished epoch is kept, and looked for; None keeps none.
        on_epoch: called after each epoch, once it is kept, and with the last one that was kept before.
        should_stop: asked before the teacher is fitted and after each epoch.

    Raises:
        TrainingStopped: `should_stop` returned True.
        ValueError: no ratings, or an item that the content lacks.
    """
    if should_stop is not None and should_stop():
        raise TrainingStopped("stopped before the first epoch")
    missing = np.setdiff1d(ratings.item_ids, content.item_ids)
    if len(missing):
        raise ValueError(f"item {missing[0]} is rated, but has no content")
    positions = np.searchsorted(content.item_ids, ratings.item_ids)
    rated = ratings.ratings != UNRATED
    shape = (ratings.n_users, len(content.item_ids))
    items = positions[ratings.items]
    rating_matrix = sparse.csr_matrix(
        (ratings.ratings[rated].astype(np.float32), (ratings.users[rated], items[rated])), shape=shape
    )
    weights = np.where(rated, 1.0, config.unrated_weight).astype(np.float32)
    watched = sparse.csr_matrix((weights, (ratings.users, items)), shape=shape)
    counts = np.bincount(items[rated], minlength=shape[1])

    watched_by = np.bincount(items, minlength=shape[1])
    known = np.sort(np.argsort(-watched_by, kind="stable")[: config.max_teacher_items])
    known = known[watched_by[known] > 0]
    if not rated.any() or not len(known):
        raise ValueError("there are no ratings to train on. Load a data set, or wait until people have rated.")
    similarity = title_similarity(content.titles)
    begun = warm_start.parameters(begin_with, content.item_ids[known], seed=config.seed) if begin_with else None
    keeper = Keeper(checkpoint_dir, config, ratings, content.item_ids[known]) if checkpoint_dir is not None else None
    products = item_item.gram(watched[:, known])
    taken = np.diag(products).copy()
    pairs = similarity[known][:, known].tocoo()
    products[pairs.row, pairs.col] += np.float32(config.franchise_weight) * pairs.data
    inputs, outputs, popularity = _distil(
        products, taken, rating_matrix[:, known], config, keeper, begun, on_epoch, should_stop
    )
    short_inputs = _short_inputs(products, taken, outputs, config)
    del products
    head = rating_head.fit(
        rating_matrix, factors=config.rating_factors, iterations=config.rating_iterations, seed=config.seed
    )
    nothing = np.zeros((len(known), 1), dtype=np.float32)
    vectors = np.hstack([outputs, popularity[:, None], inputs, nothing, short_inputs, nothing])
    item_embeddings, history_embeddings, short_history_embeddings = np.split(
        _extend_by_content(vectors, content, similarity, known), 3, axis=1
    )
    return HistoryModel.build(
        item_ids=content.item_ids,
        item_embeddings=item_embeddings,
        history_embeddings=history_embeddings,
        short_history_embeddings=short_history_embeddings,
        rating_counts=counts,
        rating_head=head,
    )


def _distil(
    products: NDArray[np.float32],
    taken: NDArray[np.float32],
    ratings: sparse.csr_matrix,
    config: HistoryConfig,
    keeper: Keeper | None,
    begun: dict[str, NDArray[np.float32]] | None,
    on_epoch: Callable[[HistoryEpoch], None] | None,
    should_stop: Callable[[], bool] | None,
) -> tuple[NDArray[np.float32], ...]:
    """The towers' parameters: `inputs` and `outputs` [n_items, factors - 1], `popularity` [n_items].

    Args:
        products: the Gram matrix of the histories and the titles, `[n_items, n_items]`.
        taken: interactions of each item, `[n_items]`.
        ratings: `[n_users, n_items]`, from which histories are drawn.
        begun: `inputs` and `outputs` to begin with; None begins with those nearest to the teacher.
    """
    teacher = item_item.item_weights(products, config.l2 + config.dropout_ridge * taken)
    counts = np.asarray((ratings > 0).sum(axis=0)).ravel()
    prior = (config.popularity_weight * counts / max(counts.max(), 1)).astype(np.float32)
    histories = _Histories(ratings, seed=config.seed)
    model = HistoryTwoTower(len(prior), config.factors)
    optimiser = optax.adam(
        optax.cosine_decay_schedule(config.learning_rate, config.epochs * config.steps_per_epoch), b2=0.99
    )
    restored = keeper.restore(PARAMS, optimiser) if keeper is not None else None
    if restored is None:
        weights = np.maximum(taken, 1) ** EMPHASIS
        first = begun or _nearest(teacher, products, weights, config)
        params = {name: jnp.asarray(array) for name, array in (first | {"popularity": prior}).items()}
        state, reports = optimiser.init(params), []
    else:
        params, state, reports = restored.params, restored.optimiser, restored.reports
        histories.queue, histories.rng.bit_generator.state = restored.queue, restored.rng
        logger.info("Going on from the checkpoint of epoch %s", len(reports))
        if on_epoch is not None:
            on_epoch(reports[-1])
    step = jax.jit(partial(_step, model, optimiser, config.temperature, config.temperature_decay))
    for epoch in range(len(reports) + 1, config.epochs + 1):
        started = time.perf_counter()
        losses = []
        for _ in range(config.steps_per_epoch):
            shown = histories.draw(config.batch_size)
            length = np.maximum(np.diff(shown.indptr), 1)[:, None]
            targets = shown @ teacher + prior / np.sqrt(length).astype(np.float32)
            params, state, loss = step(params, state, shown.toarray(), targets)
            losses.append(loss)
        report = HistoryEpoch(epoch, config.epochs, float(np.mean(losses)), time.perf_counter() - started)
        if not np.isfinite(report.train_loss):
            raise ValueError(f"the loss is {report.train_loss} in epoch {epoch}; try a smaller learning_rate")
        reports.append(report)
        if keeper is not None:
            keeper.save(State(params, state, histories.queue, dict(histories.rng.bit_generator.state), reports))
        if on_epoch is not None:
            on_epoch(report)
        if should_stop is not None and should_stop():
            raise TrainingStopped(f"stopped after epoch {epoch} of {config.epochs}")
    return tuple(np.asarray(params[name]) for name in PARAMS)


def _nearest(
    teacher: NDArray[np.float32],
    products: NDArray[np.float32],
    weights: NDArray[np.floating],
    config: HistoryConfig,
) -> dict[str, NDArray[np.float32]]:
    """`inputs` and `outputs` that follow the teacher most closely on the histories that there are."""
    rank = config.factors - 1
    inputs, outputs = item_item.low_rank(teacher, products, weights, rank, seed=config.seed)
    padding = ((0, 0), (0, rank - inputs.shape[1]))
    return {"inputs": np.pad(inputs, padding), "outputs": np.pad(outputs, padding)}


def _short_inputs(
    products: NDArray[np.float32], taken: NDArray[np.float32], outputs: NDArray[np.float32], config: HistoryConfig
) -> NDArray[np.float32]:
    """What an anime adds besides where the history is short `[n_items, factors - 1]`.

    A few anime say little, so this teacher shrinks more. The vectors come nearest to it with `outputs` as they are.
    """
    teacher = item_item.item_weights(products, config.l2 + config.short_dropout_ridge * taken)
    emphasis = np.maximum(taken, 1)[:, None] ** EMPHASIS
    found = linalg.lstsq(outputs * emphasis, teacher.T * emphasis, check_finite=False)[0]
    short_inputs: NDArray[np.float32] = np.float32(config.short_weight) * found.T.astype(np.float32)
    return short_inputs


def _step(
    model: HistoryTwoTower,
    optimiser: optax.GradientTransformation,
    temperature: float,
    decay: float,
    params: Params,
    state: Any,
    histories: jax.Array,
    teacher: jax.Array,
) -> tuple[Params, Any, jax.Array]:
    def loss_of(params: Params) -> jax.Array:
        scores = model.apply({"params": params}, histories)
        return distillation_loss(jnp.asarray(scores), teacher, histories, temperature, decay)

    loss, gradients = jax.value_and_grad(loss_of)(params)
    updates, state = optimiser.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, loss


class _Histories:
    """An endless seeded supply of random parts of the users' histories."""

    def __init__(self, ratings: sparse.csr_matrix, *, seed: int) -> None:
        lengths = np.diff(ratings.indptr)
        users = np.flatnonzero(lengths > 1)
        self.ratings = ratings[users if len(users) else np.flatnonzero(lengths > 0)]
        self.rng = np.random.default_rng(seed)
        self.queue = np.empty(0, dtype=np.int64)

    def draw(self, size: int) -> sparse.csr_matrix:
        """`[size, n_items]` multi-hot float32: every user comes once before any comes again."""
        while len(self.queue) < size:
            self.queue = np.concatenate([self.queue, self.rng.permutation(self.ratings.shape[0])])
        rows, self.queue = self.queue[:size], self.queue[size:]
        shown = self.ratings[rows]
        share = np.repeat(self.rng.uniform(*SHOWN, size), np.diff(shown.indptr))
        shown.data = (self.rng.random(shown.nnz) < share).astype(np.float32)
        shown.eliminate_zeros()
        return shown


def _extend_by_content(
    vectors: NDArray[np.float32], content: ItemContent, similarity: sparse.csr_matrix, known: NDArray[Any]
) -> NDArray[np.float32]:
    """`vectors` of the `known` items, and for all others what kernel ridge regression on content expects."""
    extended = np.empty((len(content.item_ids), vectors.shape[1]), dtype=np.float32)
    kernel = content_kernel(content, similarity, known)
    regularised = kernel[known]
    regularised[np.diag_indices(len(known))] += CONTENT_RIDGE
    coefficients = linalg.solve(regularised, vectors, assume_a="gen", overwrite_a=True, check_finite=False)
    extended[:] = kernel @ coefficients
    extended[known] = vectors
    return extended


def _length(histories: jax.Array) -> jax.Array:
    """Anime in each history `[n, 1]`, at least 1."""
    return jnp.maximum((histories > 0).sum(axis=1, keepdims=True), 1).astype(jnp.float32)
