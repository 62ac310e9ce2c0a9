"""Metrics against trec_eval (through ir-measures) where it has them, against a slow reference where not."""

from itertools import pairwise

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

from evaluation.offline import metrics
from recommender.engine.retrieval import top_k

KS = (1, 3, 10, 40)


@pytest.fixture(params=range(6))
def case(request):
    """Lists from tied scores, short lists and empty relevant sets among them: lists, relevant CSR, n_items."""
    rng = np.random.default_rng(request.param)
    n_users, n_items = 30, int(rng.integers(5, 60))
    scores = rng.integers(0, 6, (n_users, n_items)).astype(float)
    scores[rng.random(scores.shape) < rng.choice([0, 0.4, 0.9])] = -np.inf
    lists, _ = top_k(scores, int(rng.integers(1, 45)))
    relevant = rng.random((n_users, n_items)) < rng.choice([0.02, 0.2, 0.8])
    return lists, as_csr(relevant), n_items


def as_csr(mask):
    return np.append(0, mask.sum(axis=1).cumsum()), np.nonzero(mask)[1]


def rows(relevant):
    indptr, indices = relevant
    return [set(indices[a:b].tolist()) for a, b in pairwise(indptr)]


def trec(measures, lists, relevant):
    """Per-user values of trec_eval; a user of whom nothing is relevant is given one judgement of 0."""
    qrels = [
        ir_measures.Qrel(str(user), str(item), grade)
        for user, items in enumerate(rows(relevant))
        for item, grade in ([(i, 1) for i in items] or [(-5, 0)])
    ]
    run = [
        ir_measures.ScoredDoc(str(user), str(item), float(-rank))
        for user, row in enumerate(lists)
        for rank, item in enumerate(row)
        if item >= 0
    ]
    values = {m: np.zeros(len(lists)) for m in measures}
    for result in ir_measures.iter_calc(measures, qrels, run):
        values[result.measure][int(result.query_id)] = result.value
    return values


def test_equal_to_trec_eval(case):
    lists, relevant, _ = case
    n_relevant = np.diff(relevant[0])
    ours = metrics.evaluate(lists, relevant, KS)
    for k in KS:
        theirs = trec([P @ k, R @ k, AP @ k, nDCG @ k, Success @ k], lists, relevant)
        np.testing.assert_allclose(ours[f"precision@{k}"], theirs[P @ k], atol=1e-9)
        np.testing.assert_allclose(ours[f"recall@{k}"], theirs[R @ k], atol=1e-9)
        np.testing.assert_allclose(ours[f"ndcg@{k}"], theirs[nDCG @ k], atol=1e-9)
        np.testing.assert_allclose(ours[f"hit_rate@{k}"], theirs[Success @ k], atol=1e-9)
        found = metrics.hits(lists, relevant)
        of_all = metrics.average_precision(found, n_relevant, k, of_all_relevant=True)
        np.testing.assert_allclose(of_all, theirs[AP @ k], atol=1e-9)
        np.testing.assert_allclose(ours[f"map@{k}"] * np.minimum(n_relevant, k), of_all * n_relevant, atol=1e-9)
        first_k = trec([RR], lists[:, :k], relevant)[RR]
        np.testing.assert_allclose(ours[f"mrr@{k}"], first_k, atol=1e-9)


@pytest.mark.parametrize("block", [1, 100, 10**9])
def test_hits_do_not_depend_on_the_block(case, monkeypatch, block):
    lists, relevant, _ = case
    monkeypatch.setattr(metrics, "BLOCK_CELLS", block)
    expected = [[item in row for item in ranked] for ranked, row in zip(lists.tolist(), rows(relevant), strict=True)]
    assert metrics.hits(lists, relevant).tolist() == expected


def test_by_hand():
    lists, relevant = np.array([[4, 7, 1, -1]]), (np.array([0, 3]), np.array([1, 4, 9]))
    values = {name: value[0] for name, value in metrics.evaluate(lists, relevant, [2, 4]).items()}
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    assert values == pytest.approx(
        {
            "precision@2": 1 / 2, "recall@2": 1 / 3, "map@2": 1 / 2, "ndcg@2": 1 / (1 + 1 / np.log2(3)),
            "mrr@2": 1, "hit_rate@2": 1,
            "precision@4": 2 / 4, "recall@4": 2 / 3, "map@4": (1 + 2 / 3) / 3, "ndcg@4": (1 + 1 / 2) / ideal,
            "mrr@4": 1, "hit_rate@4": 1,
        }
    )  # fmt: skip


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_values_lie_in_0_to_1_and_a_perfect_list_scores_1(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n_items, k = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    mask = rng.random((5, n_items)) < data.draw(st.floats(0, 1))
    lists, _ = top_k(rng.random((5, n_items)), k)
    for values in metrics.evaluate(lists, as_csr(mask), [k]).values():
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
    perfect = metrics.evaluate(top_k(mask.astype(float), k)[0], as_csr(mask), [k])
    judged = mask.any(axis=1)
    for name in ("map", "ndcg", "mrr", "hit_rate"):
        np.testing.assert_allclose(perfect[f"{name}@{k}"], judged)


def test_bad_input_is_named():
    lists = np.array([[0, 1]])
    with pytest.raises(ValueError, match="k must be at least 1"):
        metrics.evaluate(lists, (np.array([0, 1]), np.array([0])), [0])
    with pytest.raises(ValueError, match="relevant has 2 users, lists have 1"):
        metrics.evaluate(lists, (np.array([0, 1, 1]), np.array([0])))


def test_no_users_and_no_places():
    nobody = np.array([0]), np.array([], dtype=int)
    assert metrics.evaluate(np.empty((0, 5), dtype=int), nobody)["ndcg@10"].shape == (0,)
    empty_lists = metrics.evaluate(np.empty((1, 0), dtype=int), (np.array([0, 1]), np.array([3])))
    assert all(values.tolist() == [0] for values in empty_lists.values())


def shown(lists, k):
    return [[i for i in row[:k] if i >= 0] for row in lists.tolist()]


@pytest.mark.parametrize("k", [1, 4, 40])
def test_coverage_and_gini_equal_a_slow_reference(case, k):
    lists, _, n_items = case
    exposure = [sum(item in row for row in shown(lists, k)) for item in range(n_items)]
    shown_at_all = sum(e > 0 for e in exposure)
    assert metrics.catalogue_coverage(lists, n_items, k) == pytest.approx(shown_at_all / n_items)
    differences = sum(abs(a - b) for a in exposure for b in exposure)
    expected = differences / (2 * n_items * sum(exposure)) if sum(exposure) else 0
    assert metrics.gini(lists, n_items, k) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 4, 40])
def test_novelty_and_popularity_bias_equal_a_slow_reference(case, k):
    lists, held, n_items = case
    counts = np.random.default_rng(k).integers(0, 50, n_items)
    novelty = metrics.novelty(lists, counts, 50, k)
    bias = metrics.popularity_bias(lists, counts, held, k)
    for user, (row, own) in enumerate(zip(shown(lists, k), rows(held), strict=True)):
        bits = [-np.log2(max(counts[i], 1) / 50) for i in row]
        assert novelty[user] == pytest.approx(np.mean(bits) if row else 0)
        of_own = np.mean([counts[i] for i in own]) if own else 0
        assert bias[user] == pytest.approx(np.mean([counts[i] for i in row]) / of_own if row and of_own else 0)


def mean_over_pairs(row, distance):
    pairs = [distance(a, b) for place, a in enumerate(row) for b in row[:place]]
    return np.mean(pairs) if pairs else 0


@pytest.mark.parametrize("block", [1, 10**9])
@pytest.mark.parametrize("k", [1, 4, 40])
def test_diversity_equals_a_slow_reference(case, k, block, monkeypatch):
    monkeypatch.setattr(metrics, "BLOCK_CELLS", block)
    lists, _, n_items = case
    rng = np.random.default_rng(k)
    genres = rng.random((n_items, 7)) < 0.25
    embeddings = rng.normal(size=(n_items, 5))
    embeddings[0] = 0

    def genre_distance(a, b):
        either = (genres[a] | genres[b]).sum()
        return 1 - (genres[a] & genres[b]).sum() / either if either else 0

    def cosine_distance(a, b):
        lengths = np.linalg.norm(embeddings[a]) * np.linalg.norm(embeddings[b])
        return 1 - embeddings[a] @ embeddings[b] / lengths if lengths else 1

    by_genre = metrics.genre_diversity(lists, genres, k)
    by_embedding = metrics.embedding_diversity(lists, embeddings, k)
    for user, row in enumerate(shown(lists, k)):
        assert by_genre[user] == pytest.approx(mean_over_pairs(row, genre_distance), abs=1e-6)
        assert by_embedding[user] == pytest.approx(mean_over_pairs(row, cosine_distance), abs=1e-9)


def test_liking_counts_what_was_rated_at_or_above_the_own_mean():
    # The mean of the first user is 7: items 1 (9) and 2 (7) were liked, 3 (6) and 4 (2) disliked, 5 (6.5) neither.
    lists = np.array([[3, 1, 0, 4, 2], [0, 1, 2, -1, -1], [6, 7, 8, 9, 10]])
    held_out = (np.array([0, 5, 6, 6]), np.array([1, 2, 3, 4, 5, 0]))
    ratings = np.array([9, 7, 6, 2, 6.5, 3])
    found = metrics.liking(lists, held_out, ratings, np.array([7.0, 8.0, 8.0]), ks=(2, 5))
    top = 1 + 1 / np.log2(3)
    assert found["liking_ndcg@2"][0] == pytest.approx((1 / np.log2(3)) / top)
    assert found["liking_ndcg@5"][0] == pytest.approx((1 / np.log2(3) + 1 / np.log2(6)) / top)
    assert found["liking_recall@2"][0] == 0.5
    assert found["liking_recall@5"][0] == 1
    assert found["disliked@2"].tolist() == [0.5, 0.5, 0]
    assert found["disliked@5"].tolist() == [0.4, 0.2, 0]
    # Who liked nothing of what was held out says nothing of liking.
    assert np.isnan(found["liking_ndcg@5"]).tolist() == [False, True, True]


def test_one_liked_item_at_the_top_is_a_perfect_list():
    held_out = (np.array([0, 2]), np.array([4, 5]))
    found = metrics.liking(np.array([[4, 5]]), held_out, np.array([10, 1]), np.array([6.0]), ks=(1, 10))
    assert found["liking_ndcg@10"].tolist() == found["liking_ndcg@1"].tolist() == [1]
    assert found["disliked@1"].tolist() == [0]
    assert found["disliked@10"].tolist() == [0.1]  # a short list is divided by k all the same


def test_the_mean_of_all_ratings_is_what_they_are_compared_with():
    indptr, ratings = np.array([0, 3, 5, 5, 6]), np.array([10, 8, 3, 1, 1, 9])
    # One score for everything, and no rating: the mean of everybody.
    assert metrics.personal_means(indptr, ratings, 7.8).tolist() == [7, 7.8, 7.8, 7.8]
