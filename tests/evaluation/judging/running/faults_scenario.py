"""Run by `test_faults` on servers of its own: an experiment whose judge fails all the time, whose worker is killed and
whose Valkey is restarted in the middle."""

import os
import signal
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen

import numpy as np
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from evaluation import tasks
from evaluation.judging.models import Experiment, ItemScore, Judgement
from evaluation.judging.running import services
from recsite.local import embedded
from tests import factories, processes
from tests.evaluation.judging.llm_server import LLMServer, serving
from tests.recommender.runs.servers_scenario import restart

PEOPLE, CONTESTANTS, LIST_LENGTH, THREADS = 200, 3, 3, 16
TOKEN_BUDGET = 400_000
#: No news for so long means that what is left waits for the time when its message is taken for lost.
QUIET_S = 2.0
DEADLINE_S = 150


def main() -> None:
    try:
        with serving(fault_rate=0.3, seed=1, retry_after="0") as server:
            os.environ |= {
                "JUDGE_BASE_URL": server.url,
                "JUDGE_MODEL": "judge-7b",
                "JUDGE_CONCURRENCY": str(THREADS),
                "JUDGE_PER_MINUTE": "100000",
                "JUDGE_MAX_TOKENS": "200",
            }
            judge_through_faults(server)
    finally:
        connection.close()
        embedded.release()


def judge_through_faults(server: LLMServer) -> None:
    experiment = described()
    log = embedded.var_dir() / "worker.log"
    # Of this process, which began without a judge.
    settings.JUDGE_BASE_URL, settings.JUDGE_MODEL = server.url, "judge-7b"
    services.launch(experiment=experiment)
    with worker(log, "first") as first:
        go_on(experiment, until=150)
        processes.kill(first)
    before = ended(experiment)
    assert before < 450, "the worker was done before it was killed"
    with worker(log, "second"):
        go_on(experiment, until=350)
        assert ended(experiment) < 600, "the experiment was over before Valkey was restarted"
        restart("valkey", "valkey-server", signal.SIGKILL)
        go_on(experiment, until=PEOPLE * CONTESTANTS)
    check(experiment, server)
    print("600 judgements")


def worker(log: Path, name: str) -> AbstractContextManager[Popen[bytes]]:
    pool = ("-P", "threads", "-c", str(THREADS))
    return processes.celery_worker(log, name, queues="judging,evaluation", pool=pool)


def described() -> Experiment:
    call_command("migrate", verbosity=0)
    anime = [factories.anime(genres=()).pk for _ in range(PEOPLE)]
    people = [-factories.member({anime[n - step]: 9 - step for step in (0, 3, 7)}).pk for n in range(PEOPLE)]
    angles = np.linspace(0, 6, len(anime))
    run = factories.published_model(
        {pk: [float(np.cos(angle)), float(np.sin(angle))] for pk, angle in zip(anime, angles, strict=True)},
        held_out=people,
    )
    experiment = Experiment.objects.create(
        name="through faults", n_users=PEOPLE, list_length=LIST_LENGTH, token_budget=TOKEN_BUDGET
    )
    experiment.runs.set([run])
    return experiment


def ended(experiment: Experiment) -> int:
    """How many judgements have ended, after a look at the budget."""
    experiment.refresh_from_db()
    assert experiment.tokens_spent + experiment.tokens_reserved <= TOKEN_BUDGET
    return experiment.judgements.exclude(state__in=Judgement.ACTIVE).count()


def go_on(experiment: Experiment, until: int) -> None:
    """Return once so many have ended. Messages that were lost are taken for lost earlier than their time."""
    last, since = -1, 0.0

    def are_ended() -> bool:
        nonlocal last, since
        now = ended(experiment)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET_S:
            experiment.judgements.filter(state=Judgement.State.QUEUED).update(due_at=timezone.now())
            tasks.resume_interrupted()  # what beat does
            since = time.monotonic()
        return now >= until

    processes.wait_until(are_ended, embedded.var_dir() / "worker.log", DEADLINE_S)


def check(experiment: Experiment, server: LLMServer) -> None:
    experiment.refresh_from_db()
    judgements = list(experiment.judgements.all())
    states = Counter(one.state for one in judgements)
    print(f"{len(server.requests)} requests, {dict(states)}")
    assert experiment.state == Experiment.State.DONE
    assert len(judgements) == PEOPLE * CONTESTANTS
    assert set(states) <= {"scored", "unscored"}
    assert states["scored"] > 0.95 * len(judgements)
    assert all(one.reason for one in judgements if one.state == "unscored")
    assert ItemScore.objects.count() == LIST_LENGTH * states["scored"]
    assert experiment.tokens_reserved == 0
    assert experiment.tokens_spent == sum(one.tokens_in + one.tokens_out for one in judgements)
    # Nothing was asked twice but what the killed worker had in hand.
    assert len(server.requests) <= sum(one.attempts for one in judgements) + THREADS
