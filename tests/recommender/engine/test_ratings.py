import numpy as np
import pytest

from recommender.engine.ratings import UNRATED, RatingMatrix


def test_interactions_come_out_sorted_with_dense_indices() -> None:
    matrix = RatingMatrix.from_arrays(np.array([30, 10, 30, 20]), np.array([7, 7, 5, 9]), np.array([8, UNRATED, 1, 10]))
    assert matrix.user_ids.tolist() == [10, 20, 30]
    assert matrix.item_ids.tolist() == [5, 7, 9]
    assert matrix.users.tolist() == [0, 1, 2, 2]
    assert matrix.items.tolist() == [1, 2, 0, 1]
    assert matrix.ratings.tolist() == [UNRATED, 10, 1, 8]
    assert matrix.indptr.tolist() == [0, 1, 2, 4]
    assert (len(matrix), matrix.n_users, matrix.n_items) == (4, 3, 3)


def test_negative_and_huge_ids_are_ids() -> None:
    matrix = RatingMatrix.from_arrays(np.array([-5, 2**40]), np.array([1, 1]), np.array([3, 4]))
    assert matrix.user_ids.tolist() == [-5, 2**40]


@pytest.mark.parametrize("wrong", [0, 11, -2])
def test_a_rating_out_of_range_is_named(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"user 4 rated item 9 {wrong}"):
        RatingMatrix.from_arrays(np.array([3, 4]), np.array([9, 9]), np.array([5, wrong]))


def test_a_pair_that_comes_twice_is_named() -> None:
    with pytest.raises(ValueError, match="user 3 has two ratings of item 9"):
        RatingMatrix.from_arrays(np.array([3, 4, 3]), np.array([9, 9, 9]), np.array([5, 6, 7]))


def test_arrays_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 users, 1 items and 2 ratings"):
        RatingMatrix.from_arrays(np.array([3, 4]), np.array([9]), np.array([5, 6]))


def test_the_fingerprint_follows_content_and_not_order() -> None:
    rng = np.random.default_rng(0)
    users, items, scores = np.arange(50) % 7, np.arange(50), rng.integers(1, 11, 50)
    one = RatingMatrix.from_arrays(users, items, scores)
    order = rng.permutation(50)
    assert RatingMatrix.from_arrays(users[order], items[order], scores[order]).fingerprint() == one.fingerprint()
    scores[3] = scores[3] % 10 + 1
    assert RatingMatrix.from_arrays(users, items, scores).fingerprint() != one.fingerprint()


def test_selecting_keeps_only_the_users_and_items_that_are_left() -> None:
    matrix = RatingMatrix.from_arrays(np.array([1, 1, 2]), np.array([5, 6, 7]), np.array([1, 2, 3]))
    left = matrix.select(matrix.ratings > 1)
    assert left.user_ids.tolist() == [1, 2]
    assert left.item_ids.tolist() == [6, 7]
