"""What came of an experiment: scores by model, by how much people have rated and by genre, and how far to trust them.

Everything here is read from what is stored. What takes long to resample is kept until an answer or a review is added.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db.models import Avg, Count, Max, Sum

from evaluation.judging.models import MAX_SCORE, MIN_SCORE, Experiment, ItemScore, Judgement, Review
from evaluation.judging.results import agreement, effect
from evaluation.judging.results.effect import Effect, ListScore, SelfConsistency, WinRate
from evaluation.offline.statistics import Interval, bootstrap_interval

KEPT_S = 24 * 3600
#: Of the genres with the most judged anime, so many are told apart.
MAX_GENRES = 12
SCORES = range(MIN_SCORE, MAX_SCORE + 1)


class Mean(NamedTuple):
    """The mean overall score of one contestant's lists, over people, where `stratum` is "" of all of them."""

    contestant: int
    stratum: str
    n_people: int
    score: Interval


class GenreMean(NamedTuple):
    """The mean score of one contestant's anime of a genre."""

    genre: str
    contestant: int
    n: int
    score: float


class Agreement(NamedTuple):
    """How far two scores of the same anime agree: weighted kappa and Spearman's correlation, None where undefined."""

    n: int
    kappa: Interval | None
    correlation: Interval | None


class Cost(NamedTuple):
    """What one contestant's judgements took."""

    contestant: int
    judgements: int
    tokens: int
    money: str


class Results(NamedTuple):
    """What there is to know of an experiment so far.

    Attributes:
        labels: of the contestants, by id, in their order.
        is_informative: whether the judge tells a model or popularity from random lists; None where too few people
            have random lists.
        shares: for each contestant the share of its lists with each score from 1 to 10.
        judge_and_people, among_people: of the reviews that are done.
        agreed: the share of reviews that agree with the judge, None without one.
    """

    labels: Mapping[int, str]
    n_lists: int
    is_informative: bool | None
    effects: Sequence[Effect]
    means: Sequence[Mean]
    shares: Mapping[int, Sequence[float]]
    genres: Sequence[GenreMean]
    win_rates: Sequence[WinRate]
    self_consistency: SelfConsistency | None
    with_ndcg: Interval | None
    judge_and_people: Agreement | None
    among_people: Agreement | None
    agreed: float | None
    costs: Sequence[Cost]


def results(experiment: Experiment) -> Results:
    """Those of what is scored and reviewed so far."""
    reviews = Review.objects.filter(item__judgement__experiment=experiment)
    # Numbers too: what people leave behind goes with their account.
    counted = [rows.aggregate(n=Count("pk"), last=Max("finished_at")) for rows in (experiment.judgements, reviews)]
    key = ":".join(
        ["experiment-results", str(experiment.pk), *(f"{one['n']}:{_stamp(one['last'])}" for one in counted)]
    )
    found: Results | None = cache.get(key)
    if found is None:
        found = _results(experiment)
        cache.set(key, found, KEPT_S)
    return found


def as_dict(found: Results) -> dict[str, Any]:
    """Results as JSON has them: objects with the names of the attributes, and labels in place of contestants' ids."""
    return {**_plain(found, found.labels), "labels": list(found.labels.values())}


def _plain(value: Any, labels: Mapping[int, str]) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        found = {name: _plain(getattr(value, name), labels) for name in value._fields}
        named = {
            name: labels.get(found[name], found[name]) for name in ("contestant", "first", "second") if name in found
        }
        return found | named
    if isinstance(value, Mapping):
        return {labels.get(key, str(key)): _plain(one, labels) for key, one in value.items()}
    return [_plain(one, labels) for one in value] if isinstance(value, list | tuple) else value


def extremes(experiment: Experiment, n: int = 3) -> tuple[list[Judgement], list[Judgement]]:
    """The `n` lists with the highest and the `n` with the lowest overall score, with their items."""
    lists = (
        experiment.judgements.filter(state=Judgement.State.SCORED, against=None, repeat=0)
        .select_related("contestant", "subject")
        .prefetch_related("items__anime")
    )
    return list(lists.order_by("-overall", "pk")[:n]), list(lists.order_by("overall", "pk")[:n])


def _stamp(value: Any) -> str:
    return "" if value is None else f"{value:%Y%m%d%H%M%S%f}"


def _results(experiment: Experiment) -> Results:
    seed = experiment.seed
    contestants = list(experiment.contestants.order_by("pk"))
    kinds = {one.pk: one.kind for one in contestants}
    scores = effect.list_scores(experiment)
    effects = effect.effects(scores, kinds, seed=seed)
    reviews = list(
        Review.objects.filter(item__judgement__experiment=experiment, state=Review.State.DONE)
        .order_by("item", "pk")
        .values_list("item_id", "item__judgement__subject_id", "item__score", "score", "agrees")
    )
    return Results(
        labels={one.pk: one.label for one in contestants},
        n_lists=len(scores),
        is_informative=effect.separates(effects) if effect.can_tell(effects) else None,
        effects=effects,
        means=_means(experiment, scores),
        shares=_shares(scores),
        genres=_genres(experiment),
        win_rates=effect.win_rates(effect.preferences(experiment), seed=seed),
        self_consistency=effect.self_consistency(scores, seed=seed),
        with_ndcg=effect.correlation_with_ndcg(scores, seed=seed),
        judge_and_people=_agreement([(judge, own or 0, person) for _, person, judge, own, _ in reviews], seed),
        among_people=_agreement(_of_two(reviews), seed),
        agreed=sum(bool(agrees) for *_, agrees in reviews) / len(reviews) if reviews else None,
        costs=_costs(experiment),
    )


def _means(experiment: Experiment, scores: Sequence[ListScore]) -> list[Mean]:
    stratum_of = dict(experiment.subjects.values_list("pk", "stratum"))
    per_person: dict[tuple[int, str], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for one in scores:
        for stratum in ("", stratum_of[one.subject]):
            per_person[one.contestant, stratum][one.subject].append(one.overall)
    return [
        Mean(
            contestant,
            stratum,
            len(people),
            bootstrap_interval([sum(own) / len(own) for own in people.values()], seed=experiment.seed),
        )
        for (contestant, stratum), people in sorted(per_person.items(), key=lambda one: (one[0][0], _least(one[0][1])))
    ]


def _least(stratum: str) -> int:
    """By what a range such as "21-100" begins with; all people come first."""
    digits = stratum.partition("-")[0].rstrip("+")
    return int(digits) if digits.isdigit() else 0


def _shares(scores: Sequence[ListScore]) -> dict[int, list[float]]:
    own: dict[int, list[int]] = defaultdict(list)
    for one in scores:
        own[one.contestant].append(one.overall)
    return {contestant: [given.count(score) / len(given) for score in SCORES] for contestant, given in own.items()}


def _genres(experiment: Experiment) -> list[GenreMean]:
    rows = (
        ItemScore.objects.filter(
            judgement__experiment=experiment, judgement__state=Judgement.State.SCORED, anime__genres__isnull=False
        )
        .order_by()
        .values_list("anime__genres__name", "judgement__contestant")
        .annotate(n=Count("pk"), score=Avg("score"))
    )
    found = [GenreMean(*row) for row in rows]
    counts: dict[str, int] = defaultdict(int)
    for one in found:
        counts[one.genre] += one.n
    chosen = sorted(counts, key=lambda genre: (-counts[genre], genre))[:MAX_GENRES]
    return sorted(
        (one for one in found if one.genre in chosen), key=lambda one: (chosen.index(one.genre), one.contestant)
    )


def _agreement(pairs: Sequence[tuple[int, int, int]], seed: int) -> Agreement | None:
    """Of pairs of scores with the person for whom the anime was recommended."""
    if not pairs:
        return None
    first, second, people = zip(*pairs, strict=True)
    kappa = agreement.interval(agreement.quadratic_kappa, first, second, people=people, seed=seed)
    correlation = agreement.interval(agreement.spearman, first, second, people=people, seed=seed)
    return Agreement(len(pairs), kappa, correlation)


def _of_two(reviews: Sequence[tuple[Any, ...]]) -> list[tuple[int, int, int]]:
    """The own scores of the first two who reviewed the same anime of the same list."""
    of_item: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for item, person, _judge, own, _agrees in reviews:
        of_item[item].append((own, person))
    return [(found[0][0], found[1][0], found[0][1]) for found in of_item.values() if len(found) > 1]


def _costs(experiment: Experiment) -> list[Cost]:
    rows = (
        experiment.judgements.order_by()
        .values_list("contestant")
        .annotate(n=Count("pk"), tokens=Sum("tokens_in") + Sum("tokens_out"), money=Sum("cost"))
        .order_by("contestant")
    )
    return [Cost(contestant, n, tokens, str(money)) for contestant, n, tokens, money in rows]
