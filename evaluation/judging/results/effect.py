"""What the judge's scores of lists say: whether it tells good from random, whom it prefers, how far it keeps to itself.

Contestants are compared on the same people, each with the mean of the repeats. Where the judge does not tell
popularity or any model from random, an experiment is not informative, whatever the scores.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from evaluation.judging.models import Contestant, Experiment, Judgement
from evaluation.judging.results.agreement import interval, spearman
from evaluation.offline.statistics import Comparison, Interval, bootstrap_interval, paired_bootstrap

#: Of fewer people, no result is surprising: even five of five are one in sixteen by chance, in either direction.
MIN_PEOPLE = 6
NDCG = "ndcg@10"


class ListScore(NamedTuple):
    """The judge's overall score of one list."""

    contestant: int
    subject: int
    repeat: int
    overall: int
    ndcg: float | None


class Preference(NamedTuple):
    """One answer about two lists, with the first contestant's list shown as the first."""

    first: int
    second: int
    subject: int
    repeat: int
    preferred: str


class Effect(NamedTuple):
    """A contestant against the random control.

    Attributes:
        n_people: who have a score of both.
        difference: of the mean scores, in points.
        cohens_d: the mean difference over its spread between people (paired); None where there is no spread.
        cliffs_delta: share of people for whom it scores above random, less the share below: -1 to 1.
    """

    contestant: int
    n_people: int
    difference: Comparison
    cohens_d: float | None
    cliffs_delta: Interval


class WinRate(NamedTuple):
    """How often one contestant is preferred to another; only what holds in both orders counts as a win.

    Attributes:
        rate: a win counts 1, a tie or a preference that turned with the order counts 1/2; per person.
        turned: the share of pairs in which the order decided.
    """

    first: int
    second: int
    n_pairs: int
    wins: int
    losses: int
    turned: float
    rate: Interval


class SelfConsistency(NamedTuple):
    """Repeats of the same list: the mean spread (standard deviation, in points) and agreement of the first two."""

    n_lists: int
    spread: float
    agreement: Interval | None


def list_scores(experiment: Experiment) -> list[ListScore]:
    """What the judge scored, in one query."""
    rows = (
        Judgement.objects.filter(experiment=experiment, state=Judgement.State.SCORED, overall__isnull=False)
        .filter(against=None)
        .order_by("pk")
        .values_list("contestant_id", "subject_id", "repeat", "overall", "metrics")
    )
    return [ListScore(c, s, repeat, int(score or 0), _ndcg(metrics)) for c, s, repeat, score, metrics in rows]


def preferences(experiment: Experiment) -> list[Preference]:
    """What the judge answered about pairs of lists, in one query."""
    rows = (
        Judgement.objects.filter(experiment=experiment, state=Judgement.State.SCORED, against__isnull=False)
        .order_by("pk")
        .values_list("contestant_id", "against_id", "subject_id", "repeat", "preferred")
    )
    return [Preference(first, second or 0, person, repeat, said) for first, second, person, repeat, said in rows]


def is_informative(experiment: Experiment) -> bool:
    """Whether the judge prefers popularity or a model to random lists, beyond what chance would do."""
    kinds = dict(experiment.contestants.values_list("pk", "kind"))
    return separates(effects(list_scores(experiment), kinds, seed=experiment.seed))


def effects(scores: Sequence[ListScore], kinds: Mapping[int, str], *, seed: int) -> list[Effect]:
    """Each contestant against the random control, for those with a person in common; `kinds` by contestant.

    The intervals hold for all contestants at once (Bonferroni), as any one of them may speak for the judge.
    """
    means = _means(scores)
    controls = [pk for pk, kind in kinds.items() if kind == Contestant.Kind.RANDOM and pk in means]
    if not controls:
        return []
    random = means[controls[0]]
    others = [pk for pk in kinds if pk in means and pk != controls[0] and means[pk].keys() & random.keys()]
    return [_effect(pk, means[pk], random, 1 - 0.05 / len(others), seed) for pk in others]


def can_tell(found: Collection[Effect]) -> bool:
    """Whether there are enough people with random lists for the judge to pass or to fail."""
    return any(effect.n_people >= MIN_PEOPLE for effect in found)


def separates(found: Collection[Effect]) -> bool:
    """Whether one of these effects is above 0 with its whole interval, on enough people."""
    return any(effect.n_people >= MIN_PEOPLE and effect.cliffs_delta.low > 0 for effect in found)


def win_rates(answers: Sequence[Preference], *, seed: int) -> list[WinRate]:
    """Every two contestants that were compared in both orders for a person and repeat."""
    said = {(one.first, one.second, one.subject, one.repeat): one.preferred for one in answers}
    outcomes: dict[tuple[int, int], list[tuple[int, float, bool]]] = defaultdict(list)
    for (first, second, subject, repeat), preferred in said.items():
        back = said.get((second, first, subject, repeat))
        if first < second and back is not None:
            forth = _points(preferred)
            other = 1 - _points(back)
            agreed = forth if forth == other else 0.5
            outcomes[first, second].append((subject, agreed, forth != other))
    return [_win_rate(pair, found, seed) for pair, found in sorted(outcomes.items())]


def self_consistency(scores: Sequence[ListScore], *, seed: int) -> SelfConsistency | None:
    """Of lists that were scored more than once; None where there are none."""
    repeats: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for one in scores:
        repeats[one.contestant, one.subject].append((one.repeat, one.overall))
    several = {key: [score for _, score in sorted(found)] for key, found in repeats.items() if len(found) > 1}
    if not several:
        return None
    spread = float(np.mean([np.std(found, ddof=1) for found in several.values()]))
    first, second = zip(*(found[:2] for found in several.values()), strict=True)
    agreement = interval(spearman, first, second, people=[subject for _, subject in several], seed=seed)
    return SelfConsistency(len(several), spread, agreement)


def correlation_with_ndcg(scores: Sequence[ListScore], *, seed: int) -> Interval | None:
    """Spearman's correlation of the judge's overall score with ndcg@10 of the same lists, over lists."""
    measured = [(one.overall, one.ndcg, one.subject) for one in scores if one.ndcg is not None]
    overall, ndcg, people = zip(*measured, strict=True) if measured else ((), (), ())
    return interval(spearman, overall, ndcg, people=people, seed=seed)


def _effect(contestant: int, own: Mapping[int, float], random: Mapping[int, float], sure: float, seed: int) -> Effect:
    people = sorted(own.keys() & random.keys())
    a, b = np.array([own[p] for p in people]), np.array([random[p] for p in people])
    difference = a - b
    spread = float(difference.std(ddof=1)) if len(people) > 1 else 0.0
    return Effect(
        contestant,
        len(people),
        paired_bootstrap(a, b, seed=seed, confidence=sure),
        float(difference.mean()) / spread if spread > 0 else None,
        bootstrap_interval(np.sign(difference), seed=seed, confidence=sure),
    )


def _win_rate(pair: tuple[int, int], found: Sequence[tuple[int, float, bool]], seed: int) -> WinRate:
    by_person: dict[int, list[float]] = defaultdict(list)
    for subject, point, _ in found:
        by_person[subject].append(point)
    rate = bootstrap_interval([np.mean(of_person) for of_person in by_person.values()], seed=seed)
    points = [one for _, one, _ in found]
    turned = sum(turns for *_, turns in found) / len(found)
    return WinRate(*pair, len(found), points.count(1.0), points.count(0.0), turned, rate)


def _means(scores: Sequence[ListScore]) -> dict[int, dict[int, float]]:
    """The mean over repeats, by contestant and person."""
    found: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for one in scores:
        found[one.contestant][one.subject].append(one.overall)
    return {c: {s: float(np.mean(values)) for s, values in people.items()} for c, people in found.items()}


def _points(preferred: str) -> float:
    return {Judgement.Preferred.FIRST: 1.0, Judgement.Preferred.SECOND: 0.0}.get(Judgement.Preferred(preferred), 0.5)


def _ndcg(metrics: Mapping[str, float]) -> float | None:
    value = metrics.get(NDCG)
    return None if value is None else float(value)
