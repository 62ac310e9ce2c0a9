"""The fast training is the paper's: same model, same gradients, near enough the same optimiser."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recommender.engine import lazy_nadam, training
from recommender.engine.batches import lay_out
from recommender.engine.config import PaperConfig
from recommender.engine.lazy_nadam import Rows
from recommender.engine.paper import PaperTwoTower, mean_squared_error
from recommender.engine.preparation import Prepared, prepare
from recommender.engine.ratings import RatingMatrix
from tests.engine import data

CONFIG = PaperConfig(factors=4, epochs=5, batch_size=50, learning_rate=0.02, seed=3)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return data.prepared()


def plain_training(prepared: Prepared, config: PaperConfig, epochs: int) -> dict:
    """The Flax module trained by autodiff and dense optax.nadam, in the batches and order of the fast one."""
    n_users, n_items = len(prepared.user_ids), len(prepared.item_ids)
    model = PaperTwoTower(n_users + 1, n_items, config.factors)
    key = jax.random.key(config.seed)
    params = model.init(key, jnp.zeros(0, int), jnp.zeros(0, int))
    optimiser = optax.nadam(config.learning_rate)
    state = optimiser.init(params)
    layout = lay_out(
        prepared.train_users,
        prepared.train_items,
        prepared.train_ratings,
        n_users=n_users,
        batch_size=config.batch_size,
    )

    @jax.jit
    def step(params, state, users, items, ratings):
        def loss(params):
            predicted = model.apply(params, users, items)
            assert isinstance(predicted, jax.Array)
            return mean_squared_error(predicted, ratings)

        updates, state = optimiser.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    for epoch in range(1, epochs + 1):
        for batch in np.asarray(jax.random.permutation(jax.random.fold_in(key, epoch), len(layout))):
            size = layout.sizes[batch]
            users = layout.users[batch][layout.user_places[batch]]
            arrays = (users, layout.items[batch], layout.ratings[batch])
            params, state = step(params, state, *(array[:size] for array in arrays))
    return params["params"]


def test_batches_hold_every_interaction_once_and_say_what_is_filling(prepared: Prepared) -> None:
    n_users = len(prepared.user_ids)
    layout = lay_out(prepared.train_users, prepared.train_items, prepared.train_ratings, n_users=n_users, batch_size=64)
    users = np.take_along_axis(layout.users, layout.user_places, axis=1)
    real = np.arange(64) < layout.sizes[:, None]
    assert (users[~real] == n_users).all()
    got = zip(users[real].tolist(), layout.items[real].tolist(), layout.ratings[real].tolist(), strict=True)
    want = zip(
        prepared.train_users.tolist(), prepared.train_items.tolist(), prepared.train_ratings.tolist(), strict=True
    )
    assert sorted(got) == sorted(want)
    assert (np.diff(users, axis=1) >= 0).all()


def test_one_epoch_follows_dense_optax_nadam(prepared: Prepared) -> None:
    got = training.train(prepared, PaperConfig(**{**CONFIG.to_dict(), "epochs": 1}))
    want = plain_training(prepared, CONFIG, epochs=1)
    moved = np.abs(want["users"]["embedding"][:-1] - got.user_embeddings)
    assert moved.max() < 0.02  # the rows move by about 0.5 in this epoch
    np.testing.assert_allclose(got.item_embeddings, want["items"]["embedding"], atol=0.02)


def test_validation_error_is_that_of_dense_optax_nadam_within_two_percent(prepared: Prepared) -> None:
    got = training.train(prepared, CONFIG).reports[-1].validation_mse
    params = plain_training(prepared, CONFIG, epochs=CONFIG.epochs)
    model = PaperTwoTower(len(prepared.user_ids) + 1, len(prepared.item_ids), CONFIG.factors)
    predicted = model.apply({"params": params}, prepared.validation_users, prepared.validation_items)
    want = float(np.mean((np.asarray(predicted) - prepared.validation_ratings) ** 2))
    assert got == pytest.approx(want, rel=0.02)


def test_a_row_with_a_gradient_in_every_step_moves_as_in_optax() -> None:
    rng = np.random.default_rng(0)
    values = jnp.asarray(rng.normal(size=(3, 4)), dtype=jnp.float32)
    optimiser = optax.nadam(0.01)
    dense, state = values, optimiser.init(values)
    rows = Rows(values, jnp.zeros_like(values), jnp.zeros_like(values))
    for step in range(1, 20):
        gradient = jnp.asarray(rng.normal(size=(3, 4)), dtype=jnp.float32)
        updates, state = optimiser.update(gradient, state, dense)
        dense = optax.apply_updates(dense, updates)
        rows = lazy_nadam.update(rows, gradient, jnp.float32(step), 0.01)
        np.testing.assert_allclose(rows.values, dense, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gap", [1, 5, 40])
def test_a_row_without_gradient_is_caught_up_to_where_optax_has_it(gap: int) -> None:
    values = jnp.ones((1, 2))
    optimiser = optax.nadam(0.01)
    dense, state = values, optimiser.init(values)
    rows = Rows(values, jnp.zeros_like(values), jnp.zeros_like(values))
    for step in range(1, 31):
        gradient = jnp.array([[1.0, -0.5]]) / step
        updates, state = optimiser.update(gradient, state, dense)
        dense = optax.apply_updates(dense, updates)
        rows = lazy_nadam.update(rows, gradient, jnp.float32(step), 0.01)
    before = dense
    for _ in range(gap):
        updates, state = optimiser.update(jnp.zeros_like(values), state, dense)
        dense = optax.apply_updates(dense, updates)
    caught_up = lazy_nadam.catch_up(rows, jnp.array([30]), jnp.int32(30 + gap), 0.01)
    np.testing.assert_allclose(caught_up.values - before, dense - before, rtol=0.05)
    np.testing.assert_allclose(caught_up.first_moments, state[0].mu, rtol=1e-4)
    np.testing.assert_allclose(caught_up.second_moments, state[0].nu, rtol=1e-4)


def test_every_user_and_item_has_pairs_that_start_where_the_relu_lives() -> None:
    state = training.initial_state(jax.random.key(0), 200, 100, 32)
    alive = np.asarray(state.users.values[:200] @ state.items.values.T) > 0
    assert alive.any(axis=1).all()
    assert alive.any(axis=0).all()


def test_training_learns_and_reports_every_epoch(prepared: Prepared) -> None:
    seen: list[training.EpochReport] = []
    model = training.train(prepared, CONFIG, on_epoch=seen.append)
    assert [report.epoch for report in seen] == [1, 2, 3, 4, 5]
    assert tuple(seen) == model.reports
    assert seen[-1].train_loss < seen[0].train_loss
    assert model.user_embeddings.shape == (len(prepared.user_ids), 4)
    assert model.item_embeddings.shape == (len(prepared.item_ids), 4)


def test_real_ratings_are_predicted_better_than_by_their_mean(shared_data: Path) -> None:
    rows = np.loadtxt(shared_data / "rating.csv", delimiter=",", skiprows=1, dtype=np.int64)
    real = prepare(RatingMatrix.from_arrays(*rows.T), seed=0)
    last = training.train(real, PaperConfig(epochs=12)).reports[-1]
    assert last.validation_mse < 0.9 * np.var(real.validation_ratings)


def test_the_same_seed_gives_the_same_arrays_and_another_seed_others(prepared: Prepared) -> None:
    one, same = (training.train(prepared, CONFIG).item_embeddings for _ in range(2))
    other = training.train(prepared, PaperConfig(**{**CONFIG.to_dict(), "seed": 4})).item_embeddings
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_an_interrupted_training_ends_with_the_same_bits(prepared: Prepared, tmp_path: Path) -> None:
    whole = training.train(prepared, CONFIG)
    asked = iter([False, True])
    with pytest.raises(training.TrainingStopped, match="after epoch 2 of 5"):
        training.train(prepared, CONFIG, checkpoint_dir=tmp_path, should_stop=lambda: next(asked))
    seen: list[training.EpochReport] = []
    resumed = training.train(prepared, CONFIG, checkpoint_dir=tmp_path, on_epoch=seen.append)
    assert [report.epoch for report in seen] == [3, 4, 5]
    assert np.array_equal(resumed.user_embeddings, whole.user_embeddings)
    assert np.array_equal(resumed.item_embeddings, whole.item_embeddings)
    assert [r.train_loss for r in resumed.reports] == [r.train_loss for r in whole.reports]


def test_a_loss_that_is_no_number_ends_the_training_with_advice(prepared: Prepared) -> None:
    broken = Prepared(**{**vars(prepared), "train_ratings": np.full_like(prepared.train_ratings, np.inf)})
    with pytest.raises(ValueError, match="try a smaller learning_rate"):
        training.train(broken, CONFIG)
