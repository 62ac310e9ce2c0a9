"""Rows of experiments for tests: what a judge would have left behind."""

import itertools
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Permission
from django.utils import timezone

from catalog.models import Anime, User
from evaluation.models import Contestant, Experiment, ItemScore, Judgement, Subject
from tests import factories

_numbers = itertools.count(1)


def experiment(**fields: Any) -> Experiment:
    given = {"name": f"Experiment {next(_numbers)}", "prompt_version": "1", "judge_model": "judge-7b", **fields}
    return Experiment.objects.create(**given)


def contestant(experiment: Experiment, kind: str = "run", label: str = "") -> Contestant:
    return Contestant.objects.create(experiment=experiment, kind=kind, label=label or f"{kind} {next(_numbers)}")


def subject(experiment: Experiment, watched: Sequence[Anime] = (), **fields: Any) -> Subject:
    given = {
        "member_id": next(_numbers),
        "stratum": "6-20",
        "history": [[anime.pk, 5 + place % 6] for place, anime in enumerate(watched)],
        "watched": [anime.pk for anime in watched],
        **fields,
    }
    return Subject.objects.create(experiment=experiment, **given)


def scored(
    contestant: Contestant,
    subject: Subject,
    overall: int,
    recommended: Sequence[Anime] = (),
    item_scores: Sequence[int] = (),
    **fields: Any,
) -> Judgement:
    """A list that was judged, with a score and explanation of each anime."""
    given = {
        "recommended": [anime.pk for anime in recommended],
        "state": Judgement.State.SCORED,
        "overall": overall,
        "summary": f"Summary of {contestant.label}.",
        "model": "judge-7b",
        "prompt_version": "1",
        "tokens_in": 1000,
        "tokens_out": 200,
        "cost": "0.002",
        "latency_s": 1.5,
        "finished_at": timezone.now(),
        **fields,
    }
    row = Judgement.objects.create(experiment=contestant.experiment, contestant=contestant, subject=subject, **given)
    scores = item_scores or [overall] * len(recommended)
    ItemScore.objects.bulk_create(
        ItemScore(judgement=row, anime=anime, position=place, score=score, explanation=f"Because of {anime.name}.")
        for place, (anime, score) in enumerate(zip(recommended, scores, strict=True))
    )
    return row


def preferred(first: Contestant, second: Contestant, subject: Subject, which: str, **fields: Any) -> Judgement:
    return Judgement.objects.create(
        experiment=first.experiment,
        contestant=first,
        against=second,
        subject=subject,
        recommended=[[], []],
        state=Judgement.State.SCORED,
        preferred=which,
        prompt_version="1",
        **fields,
    )


def small(n_people: int = 8, length: int = 3) -> Experiment:
    """A judge that likes the model better than popularity and that better than random, as NDCG does."""
    found = experiment(state=Experiment.State.DONE, finished_at=timezone.now(), token_budget=10**6)
    watched = [factories.anime(genres=("Action",)) for _ in range(3)]
    lists = {
        kind: (contestant(found, kind, label), [factories.anime(genres=(genre,)) for _ in range(length)])
        for kind, label, genre in [
            ("run", "Model 1", "Drama"), ("popularity", "Popularity", "Comedy"), ("random", "Random", "Horror"),
        ]
    }  # fmt: skip
    for number in range(n_people):
        person = subject(found, watched, stratum="6-20" if number % 2 else "1-5")
        for (one, recommended), overall, ndcg in zip(lists.values(), (8, 6, 3), (0.6, 0.4, 0.1), strict=True):
            scored(one, person, overall - number % 2, recommended, metrics={"ndcg@10": ndcg + number / 100})
    return found


def reviewer(username: str = "reviewer", **fields: Any) -> User:
    """Staff who may review, whether or not the group of reviewers is there, which emptying the tables takes away."""
    person = factories.user(username, is_staff=True, **fields)
    person.user_permissions.add(Permission.objects.get(codename="change_review"))
    return person
