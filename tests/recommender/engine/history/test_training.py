import shutil
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse

from recommender.engine.config import TrainingStopped
from recommender.engine.history import teacher as item_item
from recommender.engine.history import training as history
from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.content import ItemContent
from recommender.engine.history.model import score_items, user_vector
from recommender.engine.history.state import HistoryEpoch
from recommender.engine.history.training import HistoryTwoTower, distillation_loss, train
from recommender.engine.ratings import UNRATED, RatingMatrix

SMALL = HistoryConfig(factors=12, epochs=3, steps_per_epoch=4, batch_size=64, rating_factors=4, l2=5.0)
N_TASTES, PER_TASTE = 4, 15
WORDS = ("Kaze", "Umi", "Hoshi", "Yama")
#: Ids of unrated anime: a sequel of taste 1, and one that shares nothing but its genre.
SEQUEL, STRANGER = 900, 901


def catalogue():
    """Anime 10, 20, ... in four genres, with titles that share no word, and two that nobody rated."""
    letters = [chr(ord("a") + place) * 3 for place in range(PER_TASTE)]
    titles = [f"{WORDS[taste]}{letter}" for taste in range(N_TASTES) for letter in letters]
    titles[PER_TASTE] = "Mahou Gakuen"  # the first of taste 1
    ids = [10 * (place + 1) for place in range(len(titles))]
    genres = [(WORDS[taste],) for taste in range(N_TASTES) for _ in letters]
    return ItemContent(
        np.array([*ids, SEQUEL, STRANGER]),
        (*titles, "Mahou Gakuen Nagareboshi 2", "Sonata"),
        (*genres, (WORDS[1],), (WORDS[2],)),
        ("TV",) * (len(titles) + 2),
    )


@pytest.fixture(scope="module")
def ratings():
    """200 users who watch mostly one taste, some without rating it."""
    rng = np.random.default_rng(3)
    rows = []
    for user in range(200):
        own = user % N_TASTES * PER_TASTE + rng.permutation(PER_TASTE)[:8]
        other = rng.integers(0, N_TASTES * PER_TASTE, 2)
        rows += [(user, 10 * (item + 1), rng.choice([UNRATED, 6, 8, 9])) for item in {*own, *other}]
    users, items, values = np.array(rows).T
    return RatingMatrix.from_arrays(users, items, values)


@pytest.fixture(scope="module")
def model(ratings):
    return train(ratings, catalogue(), SMALL)


def best(model, item_ids, k):
    rows = model.rows(np.array(item_ids))
    scores = score_items(model, rows)
    scores[rows] = -np.inf
    return model.item_ids[np.argsort(-scores)[:k]]


@pytest.mark.parametrize("taste", range(N_TASTES))
def test_a_short_history_of_one_taste_is_answered_with_that_taste(model, taste):
    first = 10 * (taste * PER_TASTE + 3)
    found = best(model, [first, first + 10, first + 20], 8)
    low, high = 10 * taste * PER_TASTE, 10 * (taste + 1) * PER_TASTE
    of_taste = [low < item <= high or item in (SEQUEL, STRANGER) for item in found]
    assert np.mean(of_taste) >= 0.75


def test_an_anime_without_ratings_is_found_by_title_and_by_genre(model):
    of_first_part = best(model, [10 * (PER_TASTE + 1), 10 * (PER_TASTE + 2)], 20)
    of_another = best(model, [10 * (3 * PER_TASTE + 1), 10 * (3 * PER_TASTE + 2)], 20)
    assert SEQUEL in of_first_part
    assert SEQUEL not in of_another
    row = model.rows(np.array([SEQUEL]))[0]
    assert model.rating_counts[row] == 0


def test_an_empty_history_ranks_by_popularity(model):
    scores = score_items(model, np.array([], dtype=np.int64))
    rated = model.rating_counts > 0
    assert np.corrcoef(scores[rated], model.rating_counts[rated])[0, 1] > 0.8


def test_the_same_seed_gives_the_same_arrays_and_another_gives_others(ratings, model):
    again = train(ratings, catalogue(), SMALL).to_arrays()
    for name, array in model.to_arrays().items():
        np.testing.assert_array_equal(array, again[name], err_msg=name)
    other = train(ratings, catalogue(), HistoryConfig.from_dict(SMALL.to_dict() | {"seed": 1}))
    assert not np.array_equal(other.item_embeddings, model.item_embeddings)


def test_numpy_computes_what_the_flax_module_computes(model):
    # The second vectors are found once the module is trained.
    model = replace(model, short_history_embeddings=np.zeros_like(model.short_history_embeddings))
    n_items, factors = model.item_embeddings.shape
    params = {
        "inputs": model.history_embeddings[:, :-1],
        "outputs": model.item_embeddings[:, :-1],
        "popularity": model.item_embeddings[:, -1],
    }
    rng = np.random.default_rng(0)
    for length in (1, 5, 40):
        rows = rng.permutation(n_items)[:length]
        multi_hot = np.zeros((1, n_items), dtype=np.float32)
        multi_hot[0, rows] = 1
        module = HistoryTwoTower(n_items, factors)
        users = module.apply({"params": params}, multi_hot, method="users")
        np.testing.assert_allclose(user_vector(model, rows), np.asarray(users)[0], atol=1e-5)
        scores = module.apply({"params": params}, multi_hot)
        np.testing.assert_allclose(score_items(model, rows), np.asarray(scores)[0], atol=1e-5)


def test_the_second_vectors_score_as_the_short_teacher_where_the_rank_allows_it():
    rng = np.random.default_rng(5)
    watched = sparse.csr_matrix((rng.random((80, 12)) < 0.3).astype(np.float32))
    products = item_item.gram(watched)
    taken = np.diag(products).copy()
    outputs = rng.normal(size=(12, 12)).astype(np.float32)
    short_inputs = history._short_inputs(products, taken, outputs, SMALL)
    teacher = item_item.item_weights(products, SMALL.l2 + SMALL.short_dropout_ridge * taken)
    np.testing.assert_allclose(short_inputs @ outputs.T, SMALL.short_weight * teacher, atol=1e-3)


def test_an_artifact_from_before_the_second_vectors_serves_without_them(model):
    arrays = model.to_arrays()
    del arrays["short_history_embeddings"]
    older = type(model).from_arrays(arrays)
    history = np.array([0, 1])
    without = replace(model, short_history_embeddings=np.zeros_like(model.short_history_embeddings))
    np.testing.assert_allclose(user_vector(older, history), user_vector(without, history), atol=2e-3)


def test_the_loss_is_least_at_the_teacher_and_blind_to_what_was_watched():
    teacher = np.array([[0.3, 0.1, -0.2, 0.0]], dtype=np.float32)
    histories = np.array([[0, 0, 0, 1.0]], dtype=np.float32)

    def loss(scores):
        return float(distillation_loss(jnp.asarray(scores), teacher, histories, 5.0, 0.4))

    def probabilities(scores):
        return np.exp(5 * scores[0, :3]) / np.exp(5 * scores[0, :3]).sum()

    other = np.add(teacher, [[0.2, 0, 0, 0]])
    p, q = probabilities(teacher), probabilities(other)
    assert loss(teacher) == pytest.approx(0, abs=1e-6)
    assert loss(other) == pytest.approx((p * np.log(p / q)).sum(), rel=1e-4)
    assert loss(np.add(other, [[0, 0, 0, 9]])) == pytest.approx(loss(other))


def test_training_reports_each_epoch_and_brings_the_towers_nearer_to_the_teacher(ratings):
    reports = []
    config = HistoryConfig.from_dict(SMALL.to_dict() | {"epochs": 6, "learning_rate": 0.01})
    train(ratings, catalogue(), config, on_epoch=reports.append)
    assert [(report.epoch, report.epochs) for report in reports] == [(epoch, 6) for epoch in range(1, 7)]
    assert reports[-1].train_loss < reports[0].train_loss


def test_training_stops_when_told(ratings):
    reports = []
    with pytest.raises(TrainingStopped, match="epoch 2 of 3"):
        train(ratings, catalogue(), SMALL, on_epoch=reports.append, should_stop=lambda: len(reports) == 2)


def test_an_interrupted_training_goes_on_to_the_same_model(ratings, tmp_path: Path):
    whole = train(ratings, catalogue(), SMALL)
    before: list[HistoryEpoch] = []
    after: list[HistoryEpoch] = []
    with pytest.raises(TrainingStopped):
        train(
            ratings,
            catalogue(),
            SMALL,
            checkpoint_dir=tmp_path,
            on_epoch=before.append,
            should_stop=lambda: len(before) == 2,
        )
    resumed = train(ratings, catalogue(), SMALL, checkpoint_dir=tmp_path, on_epoch=after.append)
    assert [report.epoch for report in after] == [2, 3]
    assert after[0] == before[1]
    np.testing.assert_array_equal(resumed.item_embeddings, whole.item_embeddings)
    np.testing.assert_array_equal(resumed.history_embeddings, whole.history_embeddings)


def test_a_checkpoint_of_other_settings_or_data_is_not_gone_on_from(ratings, tmp_path: Path):
    train(ratings, catalogue(), SMALL, checkpoint_dir=tmp_path / "kept")
    hotter = HistoryConfig.from_dict(SMALL.to_dict() | {"temperature": 20.0})
    fewer = ratings.select(np.arange(len(ratings)) > 0)
    for number, (data, config, begins) in enumerate([(ratings, SMALL, 3), (ratings, hotter, 1), (fewer, SMALL, 1)]):
        directory = shutil.copytree(tmp_path / "kept", tmp_path / str(number))
        reports: list[HistoryEpoch] = []
        train(data, catalogue(), config, checkpoint_dir=directory, on_epoch=reports.append)
        assert reports[0].epoch == begins


def test_an_item_without_content_is_named():
    ratings = RatingMatrix.from_arrays(np.array([1, 1]), np.array([10, 77]), np.array([8, 9]))
    with pytest.raises(ValueError, match="item 77 is rated, but has no content"):
        train(ratings, catalogue(), SMALL)


def test_no_ratings_are_refused():
    ratings = RatingMatrix.from_arrays(np.array([1, 2]), np.array([10, 20]), np.array([UNRATED, UNRATED]))
    with pytest.raises(ValueError, match="no ratings to train on"):
        train(ratings, catalogue(), SMALL)


def test_items_beyond_the_teachers_limit_get_vectors_from_content(ratings):
    config = HistoryConfig.from_dict(SMALL.to_dict() | {"max_teacher_items": 30})
    limited = train(ratings, catalogue(), config)
    assert np.isfinite(limited.item_embeddings).all()
    assert np.linalg.norm(limited.item_embeddings, axis=1).min() > 0


def test_two_ratings_are_enough_to_train():
    ratings = RatingMatrix.from_arrays(np.array([1, 2]), np.array([10, 20]), np.array([8, 9]))
    assert np.isfinite(train(ratings, catalogue(), SMALL).item_embeddings).all()


def test_drawn_histories_are_parts_of_the_users_and_every_user_comes_in_turn():
    ratings = sparse.csr_matrix(np.array([[5, 6, 7, 0], [0, 8, 0, 9], [0, 0, 3, 0]], dtype=np.float32))
    drawn = history._Histories(ratings, seed=0).draw(40).toarray()
    of_first = (drawn[:, 0] > 0).sum()
    assert set(np.unique(drawn)) == {0, 1}
    assert 4 < of_first < 20
    assert not (drawn[:, 0] * drawn[:, 3]).any()
