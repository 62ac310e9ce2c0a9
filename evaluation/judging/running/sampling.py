"""Which people an experiment is about, and what of each one's ratings the lists are made from and the judge sees.

Everything is drawn by a hash of ids and the experiment's seed: the same data and seed give the same people with the
same ratings, whatever else there is.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from catalog.models import User
from evaluation.judging.models import Experiment, Subject
from evaluation.offline.protocol import Histories
from evaluation.offline.split import split
from recommender.engine.holdout import mixed
from recommender.engine.ratings import UNRATED, RatingMatrix

#: Ranges of numbers of ratings by their first, ascending.
STRATA = {1: "1-5", 6: "6-20", 21: "21-100", 101: "101+"}
Shown = Experiment.Shown


class Person(NamedTuple):
    """Somebody who may be drawn: an account under its id, a member of a data set under minus its row's.

    `history` are the anime [n] and ratings [n] to make lists from, `held_out` further anime that the person rated.
    """

    user_id: int
    history: tuple[NDArray[np.int64], NDArray[np.int64]]
    held_out: NDArray[np.int64]

    @property
    def stratum(self) -> str:
        return stratum(len(self.history[0]))


def stratum(ratings: int) -> str:
    """The range that a number of ratings, at least 1, is in."""
    return STRATA[max(first for first in STRATA if first <= ratings)]


def subjects(
    experiment: Experiment, ratings: RatingMatrix, item_ids: NDArray[np.int64], left_out: NDArray[np.int64] | None
) -> list[Subject]:
    """The experiment's subjects, not saved: as many as it asks for, or all there are, as equally many of each range
    of numbers of ratings as there are people for.

    Args:
        item_ids: the catalogue, sorted.
        left_out: ids of whom no training of the compared models saw; None where no model is compared.

    Raises:
        ValueError: nobody is left to choose from.
    """
    if experiment.people == Experiment.People.ACCOUNTS:
        people = accounts(ratings, item_ids)
    else:
        people = unseen(ratings, item_ids, ratings.user_ids if left_out is None else left_out, seed=experiment.seed)
    return [_subject(experiment, person) for person in drawn(people, experiment.n_users, seed=experiment.seed)]


def unseen(
    ratings: RatingMatrix, item_ids: NDArray[np.int64], left_out: NDArray[np.int64], *, seed: int
) -> list[Person]:
    """Those of `left_out` with two ratings or more, half of each one's held out.

    Raises:
        ValueError: there is nobody.
    """
    user_ids, trial = split(ratings, left_out, item_ids, seed=seed, n_users=len(left_out))
    return [
        Person(
            int(user_id),
            (item_ids[_of(trial.fold_in, u)], _ratings(trial.fold_in, u)),
            item_ids[_of(trial.held_out, u)],
        )
        for u, user_id in enumerate(user_ids)
    ]


def accounts(ratings: RatingMatrix, item_ids: NDArray[np.int64]) -> list[Person]:
    """Active accounts with all that each has rated; nothing is held out, as trainings have seen it.

    Raises:
        ValueError: there is nobody.
    """
    active = np.fromiter(User.objects.filter(is_active=True).values_list("pk", flat=True), dtype=np.int64)
    known = np.isin(ratings.item_ids, item_ids)[ratings.items]
    kept = ratings.select(np.isin(ratings.user_ids, active)[ratings.users] & known & (ratings.ratings != UNRATED))
    if not kept.n_users:
        raise ValueError("no account of this site has rated anything: choose people whom no training has seen")
    of_all = Histories(kept.indptr, kept.item_ids[kept.items], kept.ratings)
    nothing = np.zeros(0, dtype=np.int64)
    return [
        Person(int(user_id), (_of(of_all, u), _ratings(of_all, u)), nothing) for u, user_id in enumerate(kept.user_ids)
    ]


def drawn(people: Collection[Person], n: int, *, seed: int) -> list[Person]:
    """At most `n` people, in turn from each stratum until it is used up, by ascending id."""
    ordered = sorted(people, key=lambda person: person.user_id)
    keys = mixed(np.array([person.user_id for person in ordered], dtype=np.int64), seed=seed)
    of_stratum: dict[str, list[tuple[int, Person]]] = {name: [] for name in STRATA.values()}
    for key, person in zip(keys.tolist(), ordered, strict=True):
        of_stratum[person.stratum].append((key, person))
    # The first of every stratum, then the second of every one, ...
    turns = [
        (turn, place, person)
        for place, members in enumerate(of_stratum.values())
        for turn, (_, person) in enumerate(sorted(members, key=lambda one: one[0]))
    ]
    turns.sort(key=lambda one: one[:2])
    return sorted((person for _, _, person in turns[:n]), key=lambda person: person.user_id)


def watched(person: Person, n: int, choice: str, *, seed: int) -> list[int]:
    """At most `n` anime of the history for the judge to see: the best rated, random ones, or half and half."""
    ids, ratings = person.history
    keys = mixed(mixed(ids, seed=seed).view(np.int64) ^ np.int64(person.user_id), seed=seed)
    by_rating, by_chance = np.lexsort((keys, -ratings)), np.argsort(keys, kind="stable")
    n_best = {Shown.TOP_RATED: n, Shown.RANDOM: 0, Shown.BOTH: (n + 1) // 2}[Shown(choice)]
    best = by_rating[:n_best]
    others = by_chance[~np.isin(by_chance, best)][: n - len(best)]
    found: list[int] = ids[np.append(best, others)].tolist()
    return found


def _subject(experiment: Experiment, person: Person) -> Subject:
    ids, ratings = person.history
    return Subject(
        experiment=experiment,
        account_id=person.user_id if person.user_id > 0 else None,
        member_id=-person.user_id if person.user_id < 0 else None,
        stratum=person.stratum,
        history=[list(pair) for pair in zip(ids.tolist(), ratings.tolist(), strict=True)],
        watched=watched(person, experiment.n_watched, experiment.watched_choice, seed=experiment.seed),
        held_out=person.held_out.tolist(),
    )


def _of(histories: Histories, user: int) -> NDArray[np.int64]:
    return histories.items[histories.indptr[user] : histories.indptr[user + 1]].astype(np.int64)


def _ratings(histories: Histories, user: int) -> NDArray[np.int64]:
    return histories.ratings[histories.indptr[user] : histories.indptr[user + 1]].astype(np.int64)
