"""The fast training is the paper's: same model, same gradients, near enough the same optimiser."""

import itertools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recommender.engine.config import TrainingStopped
from recommender.engine.paper import lazy_nadam
from recommender.engine.paper import training as paper_training
from recommender.engine.paper.batches import Batches, lay_out
from recommender.engine.paper.config import PaperConfig
from recommender.engine.paper.lazy_nadam import Rows
from recommender.engine.paper.model import PaperTwoTower, mean_squared_error
from recommender.engine.paper.preparation import Prepared, prepare
from recommender.engine.ratings import RatingMatrix
from tests.recommender.engine import data

CONFIG = PaperConfig(factors=4, epochs=5, batch_size=50, learning_rate=0.02, seed=3)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return data.prepared()


@pytest.fixture(params=[1000, 16], ids=["one group", "three groups"])
def users_per_group(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(paper_training, "USERS_PER_GROUP", request.param)
    return request.param


def layout_of(prepared: Prepared, config: PaperConfig, users_per_group: int) -> Batches:
    return lay_out(
        prepared.train_users,
        prepared.train_items,
        prepared.train_ratings,
        n_users=len(prepared.user_ids),
        batch_size=config.batch_size,
        users_per_group=users_per_group,
        seed=config.seed,
    )


def plain_training(prepared: Prepared, config: PaperConfig, users_per_group: int) -> tuple[Any, Any]:
    """User and item embeddings of the Flax module, trained by autodiff and dense optax.nadam in the same batches."""
    layout = layout_of(prepared, config, users_per_group)
    model = PaperTwoTower(layout.n_groups * layout.group_size, len(prepared.item_ids), config.factors)
    key = jax.random.key(config.seed)
    params = model.init(key, jnp.zeros(0, int), jnp.zeros(0, int))
    optimiser = optax.nadam(config.learning_rate)
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, users, items, ratings):
        loss = lambda p: mean_squared_error(model.apply(p, users, items), ratings)  # noqa: E731
        updates, state = optimiser.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    for epoch in range(1, config.epochs + 1):
        order = jax.random.permutation(jax.random.fold_in(key, epoch), layout.n_rounds)
        for batch in itertools.product(np.asarray(order), range(layout.n_groups)):
            users = layout.rows[batch] + batch[1] * layout.group_size
            arrays = (users, layout.items[batch], layout.ratings[batch])
            params, state = step(params, state, *(array[: layout.sizes[batch]] for array in arrays))
    tables = params["params"]
    return tables["users"]["embedding"][layout.slots], tables["items"]["embedding"]


@pytest.mark.parametrize(("groups", "n_groups"), [(1000, 1), (28, 1), (16, 3), (1, 54)])
def test_batches_hold_every_interaction_once_and_say_what_is_filling(
    prepared: Prepared, groups: int, n_groups: int
) -> None:
    layout = layout_of(prepared, CONFIG, groups)
    assert (layout.n_groups, len(prepared.user_ids)) == (n_groups, 54)
    assert layout.rows.shape[2] <= CONFIG.batch_size
    user_of_slot = np.full(layout.n_groups * layout.group_size, -1)
    user_of_slot[layout.slots] = np.arange(54)
    slots = layout.rows + layout.group_size * np.arange(layout.n_groups)[:, None]
    real = np.arange(layout.rows.shape[2]) < layout.sizes[:, :, None]
    columns = (user_of_slot[slots[real]], layout.items[real], layout.ratings[real])
    got = zip(*(column.tolist() for column in columns), strict=True)
    expected = (prepared.train_users, prepared.train_items, prepared.train_ratings)
    want = zip(*(column.tolist() for column in expected), strict=True)
    assert sorted(got) == sorted(want)
    assert (np.diff(layout.rows, axis=2) >= 0).all()


def test_the_batches_of_a_group_are_of_one_size(prepared: Prepared) -> None:
    sizes = layout_of(prepared, CONFIG, 16).sizes
    assert np.ptp(sizes, axis=0).max() <= 1


def test_one_epoch_follows_dense_optax_nadam(prepared: Prepared, users_per_group: int) -> None:
    config = PaperConfig(**{**CONFIG.to_dict(), "epochs": 1})
    got = paper_training.train(prepared, config)
    users, items = plain_training(prepared, config, users_per_group)
    # With one group the steps are those of optax; with more, rows wait for their turn, and moved by 0.3 in this epoch.
    tolerance = 1e-5 if users_per_group == 1000 else 0.02
    np.testing.assert_allclose(got.user_embeddings, users, atol=tolerance)
    np.testing.assert_allclose(got.item_embeddings, items, atol=tolerance)


def test_validation_error_is_that_of_dense_optax_nadam_within_two_percent(
    prepared: Prepared, users_per_group: int
) -> None:
    got = paper_training.train(prepared, CONFIG).reports[-1].validation_mse
    users, items = plain_training(prepared, CONFIG, users_per_group)
    params = {"params": {"users": {"embedding": users}, "items": {"embedding": items}}}
    model = PaperTwoTower(len(prepared.user_ids), len(prepared.item_ids), CONFIG.factors)
    predicted = np.asarray(model.apply(params, prepared.validation_users, prepared.validation_items))
    want = np.mean((predicted - prepared.validation_ratings) ** 2)
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
    caught_up = lazy_nadam.catch_up(rows, jnp.int32(30), jnp.int32(30 + gap), 0.01)
    np.testing.assert_allclose(caught_up.values - before, dense - before, rtol=0.05)
    np.testing.assert_allclose(caught_up.first_moments, state[0].mu, rtol=1e-4)
    np.testing.assert_allclose(caught_up.second_moments, state[0].nu, rtol=1e-4)


def test_every_user_and_item_has_pairs_that_start_where_the_relu_lives() -> None:
    state = paper_training.initial_state(jax.random.key(0), 2, 100, 100, 32)
    alive = np.asarray(state.users.values.reshape(200, 32) @ state.items.values.T) > 0
    assert alive.any(axis=1).all()
    assert alive.any(axis=0).all()


def test_training_learns_and_reports_every_epoch(prepared: Prepared) -> None:
    seen: list[paper_training.EpochReport] = []
    model = paper_training.train(prepared, CONFIG, on_epoch=seen.append)
    assert [report.epoch for report in seen] == [1, 2, 3, 4, 5]
    assert tuple(seen) == model.reports
    assert seen[-1].train_loss < seen[0].train_loss
    assert model.user_embeddings.shape == (len(prepared.user_ids), 4)
    assert model.item_embeddings.shape == (len(prepared.item_ids), 4)


def test_real_ratings_are_predicted_better_than_by_their_mean(shared_data: Path) -> None:
    rows = np.loadtxt(shared_data / "rating.csv", delimiter=",", skiprows=1, dtype=np.int64)
    real = prepare(RatingMatrix.from_arrays(*rows.T), seed=0)
    last = paper_training.train(real, PaperConfig(epochs=12)).reports[-1]
    assert last.validation_mse < 0.9 * np.var(real.validation_ratings)


def test_the_same_seed_gives_the_same_arrays_and_another_seed_others(prepared: Prepared) -> None:
    one, same = (paper_training.train(prepared, CONFIG).item_embeddings for _ in range(2))
    other = paper_training.train(prepared, PaperConfig(**{**CONFIG.to_dict(), "seed": 4})).item_embeddings
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.usefixtures("users_per_group")
def test_an_interrupted_training_ends_with_the_same_bits(prepared: Prepared, tmp_path: Path) -> None:
    whole = paper_training.train(prepared, CONFIG)
    asked = iter([False, True])
    with pytest.raises(TrainingStopped, match="after epoch 2 of 5"):
        paper_training.train(prepared, CONFIG, checkpoint_dir=tmp_path, should_stop=lambda: next(asked))
    seen: list[paper_training.EpochReport] = []
    resumed = paper_training.train(prepared, CONFIG, checkpoint_dir=tmp_path, on_epoch=seen.append)
    assert [report.epoch for report in seen] == [3, 4, 5]
    assert np.array_equal(resumed.user_embeddings, whole.user_embeddings)
    assert np.array_equal(resumed.item_embeddings, whole.item_embeddings)
    assert [r.train_loss for r in resumed.reports] == [r.train_loss for r in whole.reports]


def test_a_loss_that_is_no_number_ends_the_training_with_advice(prepared: Prepared) -> None:
    broken = Prepared(**{**vars(prepared), "train_ratings": np.full_like(prepared.train_ratings, np.inf)})
    with pytest.raises(ValueError, match="try a smaller learning_rate"):
        paper_training.train(broken, CONFIG)
