"""Which ratings a training learns from."""

import numpy as np
import pytest

from recommender.engine.ratings import RatingMatrix
from recommender.runs.data_filter import DataFilter

#: Accounts 1 and 2, members -1 and -2.
ROWS = [(1, 10), (1, 20), (1, 30), (2, 10), (-1, 10), (-1, 20), (-2, 40)]


def left(**settings: object) -> set[tuple[int, int]]:
    users, items = np.array(ROWS).T
    ratings = DataFilter.from_dict(settings).apply(
        RatingMatrix.from_arrays(users, items, np.full(len(ROWS), 8, dtype=np.int8))
    )
    return set(zip(ratings.user_ids[ratings.users].tolist(), ratings.item_ids[ratings.items].tolist(), strict=True))


def test_each_setting_leaves_out_what_it_says() -> None:
    assert left() == set(ROWS)
    assert left(source="accounts") == {row for row in ROWS if row[0] > 0}
    assert left(source="members") == {row for row in ROWS if row[0] < 0}
    assert left(min_user_ratings=2) == {row for row in ROWS if row[0] in (1, -1)}
    assert left(min_anime_ratings=2) == {row for row in ROWS if row[1] in (10, 20)}
    assert left(min_user_ratings=3, min_anime_ratings=2) == set()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"source": "bots"}, "source must be one of everyone, accounts, members, not 'bots'"),
        ({"min_user_ratings": 0}, "min_user_ratings must be a whole number"),
        ({"since": "2026"}, "unknown setting 'since'"),
    ],
)
def test_what_does_not_fit_is_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataFilter.from_dict(wrong)
