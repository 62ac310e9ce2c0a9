import numpy as np
import pytest
from scipy import sparse

from recommender.engine.artifact import load_artifact, write_artifact
from recommender.engine.history import rating_head
from recommender.engine.history.model import (
    NOISE_VARIANCE,
    SHRINKAGE,
    HistoryModel,
    RatingHead,
    contributions,
    explain,
    predict_ratings,
    score_items,
    user_vector,
    user_vectors,
)
from recommender.engine.reranking import rerank

RNG = np.random.default_rng(11)
N_ITEMS, FACTORS = 30, 9


@pytest.fixture
def model():
    inputs = RNG.normal(0, 0.1, (2, N_ITEMS, FACTORS))
    inputs[:, :, -1] = 0
    head = RatingHead(
        7.5,
        RNG.normal(0, 0.5, N_ITEMS).astype(np.float32),
        RNG.normal(0, 0.3, (N_ITEMS, 3)).astype(np.float32),
        RNG.uniform(0, 0.02, (N_ITEMS, 3)).astype(np.float32),
    )
    return HistoryModel.build(
        item_ids=np.arange(N_ITEMS) * 3,
        item_embeddings=RNG.normal(0, 0.1, (N_ITEMS, FACTORS)),
        history_embeddings=inputs[0],
        short_history_embeddings=5 * inputs[1],
        rating_counts=np.arange(N_ITEMS),
        rating_head=head,
    )


def test_contributions_and_the_part_of_popularity_sum_to_the_score(model):
    history, items = np.array([4, 9, 17, 2]), np.arange(N_ITEMS)
    popularity = model.item_embeddings[:, -1] * user_vector(model, history)[-1]
    total = contributions(model, history, items).sum(axis=1) + popularity
    np.testing.assert_allclose(total, score_items(model, history), atol=1e-5)


def test_the_second_vectors_count_by_the_square_of_the_length(model):
    alone = user_vector(model, np.array([4]))[:-1]
    np.testing.assert_allclose(alone, (model.history_embeddings + model.short_history_embeddings)[4, :-1], atol=1e-6)
    pair = user_vector(model, np.array([4, 9]))[:-1]
    expected = (model.history_embeddings + model.short_history_embeddings / 4)[[4, 9], :-1].sum(axis=0)
    np.testing.assert_allclose(pair, expected, atol=1e-6)


def test_reasons_are_the_anime_that_add_most_and_only_such_as_add(model):
    history, items = np.array([4, 9, 17, 2]), np.arange(N_ITEMS)
    added = contributions(model, history, items)
    for row, reasons in zip(added, explain(model, history, items, n=2), strict=True):
        places = [list(history).index(reason) for reason in reasons]
        assert len(reasons) == min(2, (row > 0).sum())
        assert [row[place] for place in places] == sorted(row[row > 0], reverse=True)[:2]
    assert explain(model, np.array([], dtype=np.int64), np.array([3])) == [()]


def test_many_users_are_computed_as_one_by_one(model):
    indptr, history = np.array([0, 2, 2, 5]), np.array([1, 2, 7, 8, 9])
    vectors = user_vectors(model, indptr, history)
    for user in range(3):
        np.testing.assert_array_equal(vectors[user], user_vector(model, history[indptr[user] : indptr[user + 1]]))


def test_the_artifact_keeps_the_ranking(model, tmp_path):
    write_artifact(tmp_path / "m", family="history", arrays=model.to_arrays(), config={}, fingerprint="", metrics={})
    back = HistoryModel.from_arrays(load_artifact(tmp_path / "m").arrays)
    history = np.array([3, 5])
    assert back.item_embeddings.dtype == np.float32
    np.testing.assert_allclose(score_items(back, history), score_items(model, history), atol=2e-3)
    np.testing.assert_allclose(
        predict_ratings(back, history, np.array([9, 4])), predict_ratings(model, history, np.array([9, 4])), atol=2e-2
    )


def test_ids_are_found_and_unknown_ones_are_not(model):
    np.testing.assert_array_equal(model.rows(np.array([0, 4, 87, 999])), [0, -1, 29, -1])


def test_a_predicted_rating_is_the_ridge_solution_of_the_history(model):
    head, history, ratings = model.rating_head, np.array([1, 8, 20]), np.array([9, 7, 3])
    left = ratings - head.mean - head.item_biases[history]
    bias = left.sum() / (3 + SHRINKAGE)
    # The same least squares, with the prior and the uncertainty as rows of their own.
    rows = np.vstack([head.embeddings[history], np.diag(np.sqrt(head.variances[history].sum(0) + NOISE_VARIANCE))])
    vector = np.linalg.lstsq(rows, np.concatenate([left - bias, np.zeros(3)]), rcond=None)[0]
    expected = head.mean + bias + head.item_biases + head.embeddings @ vector
    np.testing.assert_allclose(predict_ratings(model, history, ratings), expected.clip(1, 10), atol=1e-4)
    some = np.array([3, 0])
    np.testing.assert_allclose(predict_ratings(model, history, ratings, some), expected.clip(1, 10)[some], atol=1e-4)


def test_without_ratings_the_prediction_is_the_items_mean_and_it_stays_on_the_scale(model):
    none = np.array([], dtype=np.int64)
    np.testing.assert_allclose(predict_ratings(model, none, none), 7.5 + model.rating_head.item_biases, atol=1e-6)
    full = predict_ratings(model, np.arange(N_ITEMS), np.full(N_ITEMS, 10))
    assert full.max() <= 10
    assert full.mean() > 8.5


def test_the_rating_head_predicts_better_than_biases():
    rng = np.random.default_rng(2)
    taste, kind = rng.normal(0, 1, (150, 2)), rng.normal(0, 0.9, (40, 2))
    truth = 7 + rng.normal(0, 0.5, (150, 1)) + rng.normal(0, 0.5, 40) + taste @ kind.T
    rated = rng.random(truth.shape) < 0.5
    known = rated & (rng.random(truth.shape) < 0.9)
    values = np.where(known, truth.clip(1, 10), 0).astype(np.float32)
    head = rating_head.fit(sparse.csr_matrix(values), factors=4, iterations=15, seed=0)
    no_factors = RatingHead(head.mean, head.item_biases, head.embeddings * 0, head.variances * 0)

    def error(head):
        model = HistoryModel.build(
            item_ids=np.arange(40),
            item_embeddings=np.zeros((40, 2)),
            history_embeddings=np.zeros((40, 2)),
            short_history_embeddings=np.zeros((40, 2)),
            rating_counts=np.zeros(40),
            rating_head=head,
        )
        predicted = np.stack(
            [predict_ratings(model, np.flatnonzero(known[user]), values[user][known[user]]) for user in range(150)]
        )
        hidden = rated & ~known
        return np.sqrt(((predicted - truth.clip(1, 10))[hidden] ** 2).mean())

    assert error(head) < 0.75 * error(no_factors)


def test_a_rating_head_needs_ratings():
    with pytest.raises(ValueError, match="no ratings"):
        rating_head.fit(sparse.csr_matrix((3, 4), dtype=np.float32), factors=2, iterations=1, seed=0)


EMBEDDINGS = np.array([[1.0, 0], [0.99, 0.1], [0, 1], [0.1, 0.99], [-1, 0]])
SCORES = np.array([5.0, 4.9, 4.0, 3.5, 1.0])
EVERY = np.arange(5)


def test_without_controls_the_list_is_in_order_of_score():
    np.testing.assert_array_equal(rerank(EVERY, SCORES, 3, embeddings=EMBEDDINGS), [0, 1, 2])


def test_a_franchise_gives_one_anime_its_best():
    franchises = np.array([7, 7, 8, 8, 9])
    np.testing.assert_array_equal(rerank(EVERY, SCORES, 4, embeddings=EMBEDDINGS, franchises=franchises), [0, 2, 4])


def test_diversity_prefers_what_is_unlike_the_list():
    np.testing.assert_array_equal(rerank(EVERY, SCORES, 3, embeddings=EMBEDDINGS, diversity=0.7), [0, 2, 4])


def test_novelty_prefers_the_less_rated():
    counts = np.array([1000, 2, 900, 1000, 800])
    assert rerank(EVERY, SCORES, 1, embeddings=EMBEDDINGS, counts=counts, novelty=0.3)[0] == 1
    np.testing.assert_array_equal(rerank(EVERY, SCORES, 5, embeddings=EMBEDDINGS, counts=counts, novelty=1)[:2], [1, 4])


def test_controls_out_of_range_are_refused():
    with pytest.raises(ValueError, match="diversity must be from 0 to 1"):
        rerank(EVERY, SCORES, 3, embeddings=EMBEDDINGS, diversity=1.5)
    with pytest.raises(ValueError, match="novelty needs the counts"):
        rerank(EVERY, SCORES, 3, embeddings=EMBEDDINGS, novelty=0.5)


def test_no_candidates_give_no_list():
    assert len(rerank(np.array([], dtype=np.int64), np.array([]), 5, embeddings=EMBEDDINGS)) == 0
