"""What staff, schedules and the gate do with evaluations."""

from typing import NamedTuple

import numpy as np
from django.db import transaction

from common import audit
from evaluation import jobs, tasks
from evaluation.models import PROTOCOL, Evaluation
from evaluation.offline.statistics import Comparison, paired_bootstrap
from evaluation.runs.keys import MAIN
from recommender.models import TrainingRun

#: Fewer people in both say nothing of a difference.
MIN_COMMON_USERS = 10
EVALUATIONS = jobs.NAMESPACE + 1


class Compared(NamedTuple):
    """NDCG@10 of one evaluation less another's, on the people who are in both."""

    comparison: Comparison
    users: int


@transaction.atomic
def request_evaluation(run: TrainingRun, *, seed: int = 0, n_users: int = 500, again: bool = False) -> Evaluation:
    """Queue the evaluation of a run, unless there is one; `again` measures anew what has ended.

    Raises:
        ValueError: the run has no model on disk.
    """
    evaluation = _row(run, seed, n_users)
    is_new = evaluation.state == Evaluation.State.QUEUED
    if is_new or (again and jobs.queue_again(evaluation)):
        audit.record("evaluation.launch", evaluation, again=again)
        transaction.on_commit(lambda: tasks.send(tasks.evaluate, evaluation.pk))
    evaluation.refresh_from_db()
    return evaluation


def evaluate_run(run: TrainingRun, *, seed: int = 0, n_users: int = 500, again: bool = False) -> Evaluation:
    """Measure a run's model now, in this process, or return what was measured of it before.

    The state says what came of it: DONE; FAILED, with `error`; RUNNING when another worker is at it. Takes half a
    minute on 12,000 anime; belongs in a worker.

    Raises:
        ValueError: the run has no model on disk.
    """
    evaluation = _row(run, seed, n_users)
    if again:
        jobs.queue_again(evaluation)
    execute(evaluation)
    evaluation.refresh_from_db()
    return evaluation


def execute(evaluation: Evaluation) -> None:
    """Do an evaluation that waits. Safe to call twice."""
    from evaluation.runs.measure import measure  # brings in what reads data sets

    jobs.execute(evaluation, measure, namespace=EVALUATIONS)


def compare(new: Evaluation, old: Evaluation, *, method: str = MAIN) -> Compared | None:
    """How much better `new` is than `old` by NDCG@10 with its interval; None when they have too few people in common.

    Both fold in the same half of a person's ratings when their seeds are the same; of other seeds None.
    """
    if (new.protocol, new.seed) != (old.protocol, old.seed):
        return None
    values = []
    first, second = (np.array(one.per_user.get("users", []), dtype=np.int64) for one in (new, old))
    _, of_first, of_second = np.intersect1d(first, second, return_indices=True)
    if len(of_first) < MIN_COMMON_USERS:
        return None
    for one, places in ((new, of_first), (old, of_second)):
        values.append(np.array(one.per_user["ndcg@10"][method])[places])
    return Compared(paired_bootstrap(values[0], values[1], seed=new.seed), len(of_first))


def _row(run: TrainingRun, seed: int, n_users: int) -> Evaluation:
    if not run.has_artifact:
        raise ValueError(f"{run} has no model on disk to measure.")
    evaluation, _ = Evaluation.objects.get_or_create(
        run=run, protocol=PROTOCOL, seed=seed, defaults={"n_users": n_users}
    )
    return evaluation
