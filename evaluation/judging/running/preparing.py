"""Makes what an experiment judges: contestants, people, and one judgement for each list or pair of lists."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from evaluation.judging.llm.prompts import PROMPT_VERSION
from evaluation.judging.models import Contestant, Experiment, Judgement, Subject
from evaluation.judging.running import lists, sampling
from evaluation.judging.running.answers import end_if_done
from recommender.engine.artifact import ArtifactError, load_artifact
from recommender.models import TrainingRun
from recommender.runs.snapshot import load_ratings
from recommender.serving.anime_arrays import catalogue
from recommender.serving.models import artifacts

AT_ONCE = 500
Kind = Contestant.Kind
_EMPTY = "the list is empty"


def prepare(experiment: Experiment) -> None:
    """Make the rows of an experiment that is to be prepared, and set it running; all of that or nothing.

    Reads all ratings; belongs in a worker.

    Raises:
        ValueError: a model that cannot be read or has left nobody out, nobody to choose from, or a list that is empty.
    """
    runs = list(experiment.runs.order_by("pk"))
    try:
        for run in runs:
            artifacts.load(run)
        left_out = _left_out(runs)
    except (ArtifactError, KeyError) as error:
        raise ValueError(f"a model cannot be read: {error}") from error
    if left_out is None and runs and experiment.people == Experiment.People.HELD_OUT:
        raise ValueError("a model was trained on everybody, so that nobody is left whom it has not seen. Train again.")
    anime, ratings = catalogue(), load_ratings()
    people = sampling.subjects(experiment, ratings, anime.ids, left_out)
    contestants = _contestants(experiment, runs)
    if left_out is not None:
        ratings = ratings.select(~np.isin(ratings.user_ids, left_out)[ratings.users])
    makers = [lists.maker(one, experiment, ratings, anime) for one in contestants]
    judgements: list[Judgement] = []
    for subject in people:
        reader = lists.Reader.of(subject)
        found = [(one, make(reader)) for one, make in zip(contestants, makers, strict=True)]
        familiar = partial(lists.of_known_franchise, history=[*reader.ratings], anime=anime)
        judgements += _judgements(experiment, subject, found, familiar)
    with transaction.atomic():
        current = Experiment.objects.select_for_update(no_key=True).get(pk=experiment.pk)
        if current.state != Experiment.State.PREPARING:
            return  # cancelled meanwhile
        Contestant.objects.bulk_create(contestants)
        Subject.objects.bulk_create(people, AT_ONCE)
        Judgement.objects.bulk_create(judgements, AT_ONCE)
        current.state, current.started_at = Experiment.State.RUNNING, timezone.now()
        current.prompt_version = PROMPT_VERSION
        current.save(update_fields=["state", "started_at", "prompt_version"])
        end_if_done(current)


def _left_out(runs: Sequence[TrainingRun]) -> NDArray[np.int64] | None:
    """Ids of the people whom none of the runs' trainings saw; None without runs, or where one saw everybody."""
    of_runs = [load_artifact(run.artifact_path, verify=False).arrays.get(artifacts.HELD_OUT) for run in runs]
    if not of_runs or any(one is None for one in of_runs):
        return None
    return reduce(np.intersect1d, [np.asarray(one) for one in of_runs])


def _contestants(experiment: Experiment, runs: Sequence[TrainingRun]) -> list[Contestant]:
    made = [Contestant(kind=Kind.RUN, run=run, label=str(run)) for run in runs]
    if experiment.with_popularity:
        made.append(Contestant(kind=Kind.POPULARITY, label="popularity"))
    if experiment.with_random:
        made.append(Contestant(kind=Kind.RANDOM, label="random"))
    for one in made:
        one.experiment = experiment
    return made


def _judgements(
    experiment: Experiment,
    subject: Subject,
    found: Sequence[tuple[Contestant, list[int]]],
    familiar: Callable[[list[int]], list[int]],
) -> Iterator[Judgement]:
    """One for each list and repeat, and where pairs are compared one for each ordered pair and repeat."""
    of_pairs = list(itertools.permutations(found, 2)) if experiment.pairwise else []
    for repeat in range(experiment.repeats):
        for contestant, ids in found:
            yield _judgement(
                experiment,
                subject,
                repeat,
                contestant=contestant,
                recommended=ids,
                same_franchise=familiar(ids),
                metrics=lists.metrics(ids, subject.held_out),
                **_ended("" if ids else _EMPTY),
            )
        for (contestant, ids), (against, others) in of_pairs:
            yield _judgement(
                experiment,
                subject,
                repeat,
                contestant=contestant,
                against=against,
                recommended=[ids, others],
                same_franchise=familiar(sorted({*ids, *others})),
                **_ended("" if ids and others else _EMPTY),
            )


def _judgement(experiment: Experiment, subject: Subject, repeat: int, **fields: Any) -> Judgement:
    return Judgement(experiment=experiment, subject=subject, repeat=repeat, prompt_version=PROMPT_VERSION, **fields)


def _ended(reason: str) -> dict[str, Any]:
    return {"state": Judgement.State.UNSCORED, "reason": reason, "finished_at": timezone.now()} if reason else {}
