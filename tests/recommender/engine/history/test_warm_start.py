"""A training that continues begins where the model before it ended, and only where it may."""

import numpy as np

from recommender.engine.history import warm_start
from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.state import HistoryEpoch
from recommender.engine.history.training import train
from recommender.engine.ratings import RatingMatrix
from tests.recommender.engine.history.test_training import SMALL, catalogue, ratings

__all__ = ["ratings"]  # the fixture of the history model's tests


def fewer(all_ratings: RatingMatrix, share: float) -> RatingMatrix:
    return all_ratings.select(np.random.default_rng(0).random(len(all_ratings)) < share)


def test_continuing_begins_where_the_model_before_it_ended(ratings: RatingMatrix) -> None:
    config = HistoryConfig.from_dict(SMALL.to_dict() | {"epochs": 9, "learning_rate": 0.01})
    before = train(fewer(ratings, 0.9), catalogue(), config)
    assert warm_start.can_continue(before, ratings, config)
    still = warm_start.shortened(HistoryConfig.from_dict(config.to_dict() | {"learning_rate": 1e-7}))
    reports: list[HistoryEpoch] = []
    after = train(ratings, catalogue(), still, begin_with=before, on_epoch=reports.append)
    assert [report.epoch for report in reports] == [1, 2, 3]
    rated = np.isin(after.item_ids, ratings.item_ids)
    for name in ("item_embeddings", "history_embeddings"):
        begun, ended = getattr(before, name)[rated, :-1], getattr(after, name)[rated, :-1]
        np.testing.assert_allclose(ended, begun, atol=1e-4)
        anew = getattr(train(ratings, catalogue(), still), name)[rated, :-1]
        assert np.abs(anew - begun).max() > 0.01


def test_a_model_of_other_vectors_or_of_data_that_is_gone_is_not_continued(ratings: RatingMatrix) -> None:
    before = train(ratings, catalogue(), SMALL)
    assert warm_start.can_continue(before, ratings, SMALL)
    assert warm_start.can_continue(before, fewer(ratings, 0.995), SMALL)
    assert not warm_start.can_continue(before, fewer(ratings, 0.9), SMALL)
    assert not warm_start.can_continue(before, ratings, HistoryConfig.from_dict(SMALL.to_dict() | {"factors": 10}))
    assert not warm_start.can_continue(before, ratings.select(np.zeros(len(ratings), dtype=bool)), SMALL)


def test_an_anime_that_the_model_does_not_know_begins_with_noise_and_the_others_where_it_ended(
    ratings: RatingMatrix,
) -> None:
    before = train(ratings, catalogue(), SMALL)
    unknown = np.append(before.item_ids[:2], 10**6)
    found = warm_start.parameters(before, unknown, seed=1)
    np.testing.assert_array_equal(found["inputs"][:2], before.history_embeddings[:2, :-1])
    np.testing.assert_array_equal(found["outputs"][:2], before.item_embeddings[:2, :-1])
    assert 0 < np.abs(found["outputs"][2]).max() < 0.1
