"""Who is drawn for an experiment, and what of them is shown."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from catalog.models import Anime
from evaluation.judging.models import Experiment, Subject
from evaluation.judging.running import sampling
from recommender.runs.snapshot import load_ratings
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)  # ratings are read in a snapshot of their own


@pytest.fixture
def anime() -> list[int]:
    return sorted(factories.anime().pk for _ in range(60))


def sampled(anime: list[int], left_out: list[int] | None, **fields: Any) -> list[Subject]:
    chosen = None if left_out is None else np.array(sorted(left_out))
    return sampling.subjects(Experiment(**fields), load_ratings(), np.array(anime), chosen)


def test_the_strata_have_every_number() -> None:
    numbers = (1, 5, 6, 20, 21, 100, 101, 5000)
    assert [sampling.stratum(n) for n in numbers] == ["1-5", "1-5", "6-20", "6-20", "21-100", "21-100", "101+", "101+"]


def test_people_whom_no_training_saw_by_stratum(anime: list[int]) -> None:
    # 20 with two ratings, of which one is folded in; 4 with 16, so 8; 2 with 50, so 25.
    many = [factories.member(dict.fromkeys(anime[:2], 7)).pk for _ in range(20)]
    some = [factories.member(dict.fromkeys(anime[:16], 7)).pk for _ in range(4)]
    few = [factories.member(dict.fromkeys(anime[:50], 7) | {anime[51]: -1}).pk for _ in range(2)]
    seen = factories.member(dict.fromkeys(anime[:50], 7)).pk
    left_out = [-pk for pk in many + some + few]
    found = sampled(anime, left_out, n_users=12, seed=3)
    assert Counter(one.stratum for one in found) == {"1-5": 6, "6-20": 4, "21-100": 2}
    assert seen not in [one.member_id for one in found]
    for one in found:
        history, held_out = {pair[0] for pair in one.history}, set(one.held_out)
        assert not history & held_out
        assert len(history) == len(held_out)
        assert set(one.watched) <= history
        assert anime[51] not in history | held_out  # watched and not rated
    again = sampled(anime, left_out, n_users=12, seed=3)
    assert [vars(one) | {"_state": 0} for one in found] == [vars(one) | {"_state": 0} for one in again]
    other = sampled(anime, left_out, n_users=12, seed=4)
    assert [one.member_id for one in found] != [one.member_id for one in other]


def test_accounts_with_all_they_rated(anime: list[int]) -> None:
    user, idle = factories.user(), factories.user(is_active=False)
    for one in (user, idle):
        factories.rating(one, Anime.objects.get(pk=anime[0]), 9)
    factories.member({anime[0]: 3, anime[1]: 4})
    (found,) = sampled(anime, [], people="accounts", n_users=10)
    assert (found.account_id, found.member_id, found.history, found.held_out) == (user.pk, None, [[anime[0], 9]], [])


def test_nobody_to_choose_from(anime: list[int]) -> None:
    with pytest.raises(ValueError, match="no account"):
        sampled(anime, [], people="accounts")
    factories.member({anime[0]: 3, anime[1]: 4})
    with pytest.raises(ValueError, match="none of the people"):
        sampled(anime, [])
    assert len(sampled(anime, None)) == 1  # no model is compared, so that nobody was seen by one


def test_what_the_judge_sees_of_a_history() -> None:
    person = sampling.Person(-5, (np.arange(10, 30), np.repeat([10, 4], [3, 17])), np.zeros(0, dtype=np.int64))
    best = sampling.watched(person, 5, "top_rated", seed=1)
    assert set(best[:3]) == {10, 11, 12}
    both = sampling.watched(person, 5, "both", seed=1)
    assert both[:3] == best[:3]
    at_random = sampling.watched(person, 5, "random", seed=1)
    assert set(at_random) != set(best)
    assert {len(set(shown)) for shown in (best, both, at_random)} == {5}
    assert len(sampling.watched(person, 50, "both", seed=1)) == 20
