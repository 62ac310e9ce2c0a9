"""What the admin's pages of experiments and judgements show."""

from typing import Any

from django.db.models import Avg, Count, F, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from catalog.models import Anime
from evaluation.judging.models import Experiment, Judgement
from evaluation.judging.running import services

State = Judgement.State
_METRICS = [("ndcg@10", "NDCG@10"), ("map@10", "MAP@10"), ("precision@10", "P@10"), ("recall@10", "R@10")]
#: The most frequent reasons for judgements without a score, on an experiment's page.
MAX_REASONS = 5


def progress(experiment: Experiment) -> dict[str, Any]:
    """How far an experiment is, what it has spent, and each contestant's scores so far."""
    judgements = experiment.judgements.all()
    counts = dict(judgements.order_by().values_list("state").annotate(Count("pk")))
    total = sum(counts.values())
    ended = total - sum(counts.get(state, 0) for state in Judgement.ACTIVE)
    return {
        "experiment": experiment,
        "total": total,
        "ended": ended,
        "share": ended / total if total else 0.0,
        "percent": f"{ended / total:.0%}" if total else "",
        "counts": [(state.label, counts[state]) for state in State if state in counts],
        "budgets": [
            (_("Tokens"), experiment.tokens_spent, experiment.tokens_reserved, experiment.token_budget, 0),
            (_("Money"), experiment.money_spent, experiment.money_reserved, experiment.money_budget, 4),
        ],
        "contestants": _contestants(experiment),
        "pairs": judgements.filter(against__isnull=False).count(),
        "people": experiment.subjects.count(),
        "unscored": _reasons(judgements.filter(state=State.UNSCORED)),
        "waiting": _reasons(judgements.filter(state=State.QUEUED).exclude(reason="")),
        "planned": services.planned(experiment, experiment.runs.count()),
        "missing": missing_judge(),
    }


def missing_judge() -> str:
    """Why no judge can be asked; empty when one is configured."""
    try:
        services.endpoint()
    except services.NotPossible as error:
        return str(error)
    return ""


def figure(judgement: Judgement) -> dict[str, Any]:
    """The paper's figure 2 for one judgement: what was watched, what was recommended, and what the judge said of it."""
    subject = judgement.subject
    lists = judgement.recommended if judgement.against_id else [judgement.recommended]
    anime = Anime.objects.with_genres().in_bulk([*subject.watched, *(i for ids in lists for i in ids)])
    ratings = dict(subject.history)
    items = {item.anime_id: item for item in judgement.items.all()}
    familiar = set(judgement.same_franchise)
    labels = [judgement.contestant, *([judgement.against] if judgement.against else [])]
    return {
        "judgement": judgement,
        "watched": [(anime[i], ratings.get(i)) for i in subject.watched if i in anime],
        "n_rated": len(ratings),
        "lists": [
            (label, [(anime.get(i), items.get(i), i in familiar, i in subject.held_out) for i in ids])
            for label, ids in zip(labels, lists, strict=True)
        ],
        "metrics": [(title, judgement.metrics[name]) for name, title in _METRICS if name in judgement.metrics],
        "others": _others(judgement),
    }


def _contestants(experiment: Experiment) -> list[dict[str, Any]]:
    scored = Q(state=State.SCORED, against=None)
    by_contestant = experiment.judgements.order_by().values("contestant__label", "contestant__kind")
    rows = by_contestant.annotate(
        lists=Count("pk", filter=Q(against=None)),
        scored=Count("pk", filter=scored),
        mean=Avg("overall", filter=scored),
        tokens=Sum("tokens_in") + Sum("tokens_out"),
        cost=Sum("cost"),
    )
    return [dict(row) for row in rows.order_by("contestant")]


def _reasons(judgements: QuerySet[Judgement]) -> list[tuple[str, int]]:
    found = judgements.order_by().values_list("reason").annotate(count=Count("pk")).order_by("-count", "reason")
    return [(reason, count) for reason, count in found[:MAX_REASONS]]


def _others(judgement: Judgement) -> list[Judgement]:
    """The judgements of other lists for the same person."""
    same = Judgement.objects.filter(subject=judgement.subject_id).select_related("contestant", "against")
    return list(same.order_by(F("against_id").asc(nulls_first=True), "repeat", "contestant_id"))
