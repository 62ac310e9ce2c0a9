from pathlib import Path

import numpy as np
import pytest

from recommender.engine.paper.preparation import prepare
from recommender.engine.ratings import RatingMatrix
from tests.recommender.engine import data


@pytest.fixture(scope="module")
def real(shared_data: Path) -> RatingMatrix:
    rows = np.loadtxt(shared_data / "rating.csv", delimiter=",", skiprows=1, dtype=np.int64)
    return RatingMatrix.from_arrays(*rows.T)


def test_the_counts_of_the_real_data_are_those_of_its_readme(real: RatingMatrix) -> None:
    everything = prepare(real, seed=3, n_held_out=0)
    assert everything.counts == {
        "interactions": 558_621,
        "ratings": 450_113,
        "users_with_ratings": 5_092,
        "single_rating_users_dropped": 219,
        "users_kept": 4_873,
        "ratings_kept": 449_894,
        "items_kept": 7_215,
        "held_out_users": 0,
        "held_out_ratings": 0,
        "train_ratings": 402_649,
        "validation_ratings": 47_245,
    }
    scores = np.concatenate([everything.train_ratings, everything.validation_ratings])
    assert scores.mean() == pytest.approx(7.799, abs=5e-4)
    assert scores.var() == pytest.approx(2.509, abs=5e-4)


def test_a_tenth_of_fewer_than_5000_users_is_held_out_and_500_of_more(real: RatingMatrix) -> None:
    assert prepare(real, seed=0).counts["held_out_users"] == 487
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(5000), 2)
    many = RatingMatrix.from_arrays(users, np.tile([1, 2], 5000), rng.integers(1, 11, 10_000))
    assert prepare(many, seed=0).counts["held_out_users"] == 500


def test_every_rating_that_is_kept_lands_in_exactly_one_part() -> None:
    ratings = data.ratings()
    prepared = prepare(ratings, seed=1)
    parts: list[tuple[np.ndarray, ...]] = [
        (prepared.user_ids[users], prepared.item_ids[items], scores)
        for users, items, scores in (
            (prepared.train_users, prepared.train_items, prepared.train_ratings),
            (prepared.validation_users, prepared.validation_items, prepared.validation_ratings),
        )
    ]
    held_out = prepared.held_out
    parts.append((held_out.user_ids[held_out.users], held_out.item_ids[held_out.items], held_out.ratings))
    got = sorted(zip(*(np.concatenate(column).tolist() for column in zip(*parts, strict=True)), strict=True))
    rated = ratings.ratings > 0
    assert np.bincount(ratings.users[rated]).min() > 1, "no user of the test data is dropped"
    expected = zip(
        ratings.user_ids[ratings.users[rated]].tolist(),
        ratings.item_ids[ratings.items[rated]].tolist(),
        ratings.ratings[rated].tolist(),
        strict=True,
    )
    assert got == sorted(expected)


def test_held_out_users_are_whole_and_nobody_trains_on_them() -> None:
    prepared = data.prepared()
    assert not set(prepared.held_out.user_ids) & set(prepared.user_ids)
    assert len(prepared.held_out.user_ids) == 6


def test_each_user_gives_a_tenth_rounded_up_to_validation() -> None:
    prepared = data.prepared()
    n_users = len(prepared.user_ids)
    train = np.bincount(prepared.train_users, minlength=n_users)
    validation = np.bincount(prepared.validation_users, minlength=n_users)
    assert train.tolist() == [int(n) * 9 // 10 for n in train + validation]


def test_the_seed_decides() -> None:
    one, same, other = data.prepared(5), data.prepared(5), data.prepared(6)
    assert np.array_equal(one.train_items, same.train_items)
    assert not np.array_equal(one.train_items, other.train_items)
    assert not np.array_equal(one.held_out.user_ids, other.held_out.user_ids)


def test_training_ratings_are_shuffled() -> None:
    users = data.prepared().train_users
    assert np.count_nonzero(np.diff(users) < 0) > len(users) / 4


@pytest.mark.parametrize("rows", [[], [(1, 1, 5)], [(1, 1, 5), (1, 2, 6)], [(1, 1, -1), (1, 2, -1), (2, 1, -1)]])
def test_too_few_ratings_are_answered_with_what_is_there(rows: list[tuple[int, int, int]]) -> None:
    users, items, scores = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    with pytest.raises(ValueError, match="too few ratings to train on"):
        prepare(RatingMatrix.from_arrays(users, items, scores), seed=0)
