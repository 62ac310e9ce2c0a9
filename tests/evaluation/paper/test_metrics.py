"""The published definitions, checked against a reading of them in plain Python, and that they flatter."""

import numpy as np
import pytest

from evaluation.offline import metrics
from evaluation.paper import metrics as paper_metrics
from recommender.engine.retrieval import top_k


def published_average_precision(predicted, evaluation, k):
    hits, precision_sum = 0, 0.0
    for rank, anime in enumerate(predicted[:k], start=1):
        if anime in evaluation:
            hits += 1
            precision_sum += hits / rank
    return precision_sum / hits if hits else 0


def published_ndcg(predicted, evaluation, k):
    relevance = [int(anime in evaluation) for anime in predicted[:k]]
    dcg = sum(gain / np.log2(place + 2) for place, gain in enumerate(relevance))
    ideal = sum(gain / np.log2(place + 2) for place, gain in enumerate(sorted(relevance, reverse=True)))
    return dcg / ideal if ideal else 0


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    lists, _ = top_k(rng.random((50, 40)), 15)
    relevant = rng.random((50, 40)) < 0.1
    return lists, (np.append(0, relevant.sum(axis=1).cumsum()), np.nonzero(relevant)[1]), relevant


@pytest.mark.parametrize("k", [1, 10, 30])
def test_equal_to_the_published_code(case, k):
    lists, relevant, mask = case
    found = metrics.hits(lists, relevant)
    for user, row in enumerate(lists.tolist()):
        evaluation = set(np.flatnonzero(mask[user]).tolist())
        expected = published_average_precision(row, evaluation, k)
        assert paper_metrics.average_precision(found, k)[user] == pytest.approx(expected)
        assert paper_metrics.ndcg(found, k)[user] == pytest.approx(published_ndcg(row, evaluation, k))


def test_one_hit_of_many_scores_1_where_the_correct_metrics_see_a_poor_list():
    lists, relevant = np.array([[3, 0, 1, 2]]), (np.array([0, 8]), np.array([3, 9, 10, 11, 12, 13, 14, 15]))
    found = metrics.hits(lists, relevant)
    assert paper_metrics.ndcg(found, 4)[0] == paper_metrics.average_precision(found, 4)[0] == 1
    assert metrics.ndcg(found, np.array([8]), 4)[0] < 0.5
    assert metrics.average_precision(found, np.array([8]), 4)[0] == 0.25


def test_mean_over_rows_counts_a_user_once_per_rating():
    values, user_of_row = np.array([1.0, 0.0, 0.5]), np.array([0, 0, 0, 1, 2, 2])
    assert paper_metrics.mean_over_rows(values, user_of_row, 4) == 0.75
    assert paper_metrics.mean_over_rows(values, user_of_row) == pytest.approx(4 / 6)


def test_hits_across_id_spaces_are_accidents():
    anime_ids = np.array([20, 1, 5114])  # dense index 0, 1, 2
    lists, relevant = np.array([[0, 1, 2, -1]]), (np.array([0, 2]), np.array([0, 1]))
    assert metrics.hits(lists, relevant).tolist() == [[True, True, False, False]]
    # id 1 happens to equal the dense index of a relevant anime; 20 and 5114 do not
    assert paper_metrics.hits_across_id_spaces(lists, relevant, anime_ids).tolist() == [[False, True, False, False]]


def test_in_order_of_ids_keeps_the_items_and_loses_their_ranks():
    anime_ids = np.array([20, 1, 5114, 7])
    ordered = paper_metrics.in_order_of_ids(np.array([[2, 0, 3, 1], [2, -1, -1, -1]]), 3, anime_ids)
    assert ordered.tolist() == [[3, 0, 2], [2, -1, -1]]
