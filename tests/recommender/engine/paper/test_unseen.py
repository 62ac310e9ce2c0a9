import numpy as np
import pytest

from recommender.engine.paper import unseen


@pytest.fixture
def histories():
    """Histories of 40 users over 30 items: CSR indptr, items, ratings."""
    rng = np.random.default_rng(4)
    lengths = rng.integers(1, 12, 40)
    items = np.concatenate([rng.choice(30, n, replace=False) for n in lengths])
    return np.append(0, lengths.cumsum()), items, rng.integers(1, 11, lengths.sum()).astype(np.int8)


@pytest.fixture
def item_embeddings():
    return np.random.default_rng(5).normal(size=(30, 6))


def test_weighted_average_by_hand():
    embeddings = np.array([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    average = unseen.weighted_average(embeddings, np.array([0, 1]), np.array([10, 5]))
    np.testing.assert_allclose(average, [2 / 3, 1 / 3])


@pytest.mark.parametrize("block", [1, 25, 10_000])
def test_batch_equals_the_papers_loop_over_ratings(histories, item_embeddings, monkeypatch, block):
    monkeypatch.setattr(unseen, "BLOCK_RATINGS", block)
    indptr, items, ratings = histories
    averages = unseen.weighted_averages(item_embeddings, indptr, items, ratings)
    for user, average in enumerate(averages):
        weighted_sum, total_weight = np.zeros(6), 0
        for place in range(indptr[user], indptr[user + 1]):
            weighted_sum += int(ratings[place]) * item_embeddings[items[place]]
            total_weight += int(ratings[place])
        np.testing.assert_allclose(average, weighted_sum / total_weight, atol=1e-12)


@pytest.mark.parametrize("metric", ["euclidean", "dot"])
def test_recommends_the_best_of_what_is_not_rated(histories, item_embeddings, metric):
    indptr, items, ratings = histories
    lists, _ = unseen.recommend(item_embeddings, indptr, items, ratings, 5, metric=metric)
    users = unseen.weighted_averages(item_embeddings, indptr, items, ratings)
    for user, ranked in enumerate(lists):
        rated = set(items[indptr[user] : indptr[user + 1]])
        distances = np.linalg.norm(item_embeddings - users[user], axis=1)
        order = distances.argsort() if metric == "euclidean" else (-item_embeddings @ users[user]).argsort()
        assert ranked.tolist() == [i for i in order if i not in rated][:5]


def test_a_callers_exclusion_replaces_the_history(histories, item_embeddings):
    indptr, items, ratings = histories
    everything_but_three = np.ones(30, dtype=bool)
    everything_but_three[[3, 7, 8]] = False
    lists, _ = unseen.recommend(item_embeddings, indptr, items, ratings, 4, exclude=everything_but_three)
    assert all(set(row) == {3, 7, 8, -1} for row in lists)


def test_a_user_without_ratings_is_a_cold_start(item_embeddings):
    with pytest.raises(ValueError, match="user 1 has no rating"):
        unseen.weighted_averages(item_embeddings, np.array([0, 1, 1]), np.array([2]), np.array([8]))


def test_watched_but_not_rated_is_refused(item_embeddings):
    with pytest.raises(ValueError, match="watched, not rated"):
        unseen.weighted_average(item_embeddings, np.array([2, 3]), np.array([8, -1]))


def test_lengths_must_agree(item_embeddings):
    with pytest.raises(ValueError, match="do not fit"):
        unseen.weighted_average(item_embeddings, np.array([2, 3]), np.array([8]))


def test_predicted_ratings_stay_in_the_scale_and_round_as_the_paper_does():
    users = np.eye(7)
    raw = np.array([-3.0, 0.2, 7.5, 7.51, 9.0, 10.4, 99.0])
    predicted = np.diag(unseen.predicted_ratings(users, np.tile(raw, (7, 1))))
    np.testing.assert_allclose(predicted, [1, 1, 7.5, 7.51, 9, 10, 10])
    rounded = np.diag(unseen.predicted_ratings(users, np.tile(raw, (7, 1)), rounded=True))
    assert rounded.tolist() == [1, 1, 7, 8, 9, 10, 10]
    assert unseen.predicted_ratings(users[0], np.tile(raw, (7, 1))).shape == (7,)
