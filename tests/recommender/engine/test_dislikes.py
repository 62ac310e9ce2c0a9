import numpy as np

from recommender.engine.dislikes import disliked, disliked_by_one


def test_a_rating_far_below_the_own_mean_is_a_dislike():
    # (10 + 10 + 9 + 9 + 6 + 4 x 8) / (5 + 4) = 8.44: from 6.94 down.
    assert disliked_by_one(np.array([10, 10, 9, 9, 6]), 8.0).tolist() == [False] * 4 + [True]
    # (6 + 6 + 5 + 4 x 8) / 7 = 7: from 5.5 down.
    assert disliked_by_one(np.array([6, 6, 5]), 8.0).tolist() == [False, False, True]
    # Exactly 1.5 below counts: (8 + 6 + 4 x 7.75) / 6 = 7.5.
    assert disliked_by_one(np.array([8, 6]), 7.75).tolist() == [False, True]


def test_who_gives_nothing_but_one_score_is_measured_by_the_community():
    assert disliked_by_one(np.ones(3), 7.8).all()
    assert disliked_by_one(np.ones(100), 7.8).all()
    assert disliked_by_one(np.full(100, 5), 7.8).all()  # (5 + 4 x 7.8) / 5 = 7.24: from 5.74 down
    for score in (6, 8, 10):
        assert not disliked_by_one(np.full(3, score), 7.8).any()
        assert not disliked_by_one(np.array([score]), 7.8).any()


def test_many_people_at_once_are_judged_one_by_one():
    indptr, ratings = np.array([0, 2, 2, 5]), np.array([10, 1, 8, 8, 3])
    found = disliked(indptr, ratings, 7.8)
    assert found.tolist() == [*disliked_by_one(ratings[:2], 7.8), *disliked_by_one(ratings[2:], 7.8)]
    assert found.tolist() == [False, True, False, False, True]
    assert disliked_by_one(np.array([]), 7.8).tolist() == []
