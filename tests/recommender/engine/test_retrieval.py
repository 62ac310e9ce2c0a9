import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.engine.retrieval import NO_ITEM, score, search, top_k


def naive_top_k(row, k, excluded):
    """Items of one user by (-score, index), as plainly as can be said."""
    ranked = sorted(
        (i for i in range(len(row)) if i not in excluded and not np.isnan(row[i]) and row[i] > -np.inf),
        key=lambda i: (-row[i], i),
    )[:k]
    return ranked + [NO_ITEM] * (k - len(ranked))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_equals_a_sort_on_random_scores_with_ties_nan_and_exclusions(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n_users, n_items, k = (data.draw(st.integers(1, n)) for n in (4, 25, 30))
    scores = rng.integers(-3, 4, (n_users, n_items)).astype(float)  # few values, so that most tie
    scores[rng.random(scores.shape) < 0.1] = np.nan
    mask = rng.random(scores.shape) < data.draw(st.sampled_from([0, 0.3, 1]))

    expected = [naive_top_k(row, k, set(np.flatnonzero(out))) for row, out in zip(scores, mask, strict=True)]
    by_csr, csr_scores = top_k(scores, k, (np.append(0, mask.sum(axis=1).cumsum()), np.nonzero(mask)[1]))
    by_mask, _ = top_k(scores, k, mask)

    assert by_csr.tolist() == by_mask.tolist() == expected
    for row, items, kept in zip(scores, by_csr, csr_scores, strict=True):
        shown = items != NO_ITEM
        assert (kept[~shown] == -np.inf).all()
        assert (kept[shown] == row[items[shown]]).all()


def test_leaves_the_scores_it_was_given_alone():
    scores = np.array([[1.0, np.nan, 3.0]])
    top_k(scores, 2, np.array([True, False, False]))
    np.testing.assert_array_equal(scores, [[1.0, np.nan, 3.0]])


def test_one_mask_serves_all_users():
    items, _ = top_k(np.array([[1.0, 2, 3], [3, 2, 1]]), 2, np.array([False, False, True]))
    assert items.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("metric", ["dot", "euclidean"])
def test_search_in_blocks_gives_what_one_block_gives(metric):
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(23, 8)), rng.normal(size=(70, 8))
    mask = rng.random((23, 70)) < 0.3
    csr = np.append(0, mask.sum(axis=1).cumsum()), np.nonzero(mask)[1]
    whole, whole_scores = search(users, items, 10, metric=metric, exclude=mask)
    blocked, blocked_scores = search(users, items, 10, metric=metric, exclude=csr, block_scores=5 * 70)
    assert (whole == blocked).all()
    np.testing.assert_allclose(blocked_scores, whole_scores, rtol=1e-12)


def test_euclidean_scores_are_minus_the_distances():
    rng = np.random.default_rng(1)
    users, items = rng.normal(size=(5, 3)), rng.normal(size=(9, 3))
    distances = np.linalg.norm(users[:, None] - items, axis=2)
    np.testing.assert_allclose(score(users, items, "euclidean"), -distances, atol=1e-12)
    assert (search(users, items, 9, metric="euclidean")[0] == distances.argsort(axis=1)).all()


def test_dtype_is_kept_so_that_float32_is_not_doubled():
    users = np.ones((2, 3), dtype=np.float32)
    assert search(users, users, 1, metric="euclidean")[1].dtype == np.float32


def test_no_users_and_no_items_are_answered_with_empty_lists():
    assert search(np.empty((0, 3)), np.ones((5, 3)), 4)[0].shape == (0, 4)
    assert search(np.ones((2, 3)), np.empty((0, 3)), 4)[0].tolist() == [[NO_ITEM] * 4] * 2


@pytest.mark.parametrize(
    ("scores", "k", "exclude", "message"),
    [
        (np.ones(3), 1, None, r"\[n_users, n_items\]"),
        (np.ones((1, 3)), 0, None, "k must be at least 1"),
        (np.ones((2, 3)), 1, (np.array([0, 1]), np.array([0])), "expected one more"),
    ],
)
def test_bad_input_is_named(scores, k, exclude, message):
    with pytest.raises(ValueError, match=message):
        top_k(scores, k, exclude)


def test_unknown_metric_is_named():
    with pytest.raises(ValueError, match="'cosine'"):
        search(np.ones((1, 2)), np.ones((3, 2)), 1, metric="cosine")
