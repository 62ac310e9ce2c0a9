"""One judgement from its turn to its end: what is asked, what may be spent, and what comes of the answer.

A worker that holds a judgement has an advisory lock on it, which the database frees when the worker dies. What is
stored is stored under locks on the experiment's and the judgement's row, and only while the judgement is to be
answered: so nothing is stored twice, and what was cancelled stays cancelled.
"""

import logging
import time
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from common import locks
from evaluation import jobs
from evaluation.judging.llm import client, limits
from evaluation.judging.llm.endpoint import Answer, JudgeUnavailable
from evaluation.judging.llm.schema import BadAnswer
from evaluation.judging.models import Experiment, Judgement
from evaluation.judging.running import answers, budget
from evaluation.judging.running.questions import NoScore, endpoint_of, question_of

logger = logging.getLogger(__name__)

JUDGEMENTS = jobs.NAMESPACE + 3
#: After how long to ask again, in seconds: when other requests hold what the budget has left; after one that was given
#: up because somebody cancelled, and may have gone on since.
OCCUPIED_S, CANCELLED_S = 20.0, 1.0


def ask(judgement_id: int) -> float | None:
    """Have a judgement that waits answered. Safe to call twice.

    Returns:
        After how many seconds to call it again; None where that is not needed, or another worker holds it.
    """
    with locks.held(judgement_id, JUDGEMENTS) as acquired:
        judgement = begun(judgement_id) if acquired else None
        if judgement is None:
            return None
        try:
            return _ask(judgement)
        except (OperationalError, InterfaceError):
            raise  # it stays as it is, and is sent again
        except Judgement.DoesNotExist:
            return None  # deleted meanwhile, as with a person who left
        except NoScore as error:
            reason = str(error)
        except Exception as error:
            logger.exception("Judgement %s failed", judgement_id)
            reason = f"Unexpected {type(error).__name__}: {error}. The worker's log has the details."
        answers.end_without_score(judgement, reason)
        return None


@transaction.atomic
def begun(judgement_id: int) -> Judgement | None:
    """The judgement, now running; None when it is not to be answered (any more)."""
    judgement = Judgement.objects.filter(pk=judgement_id).first()
    if judgement is None:
        return None
    experiment = budget.locked(judgement)
    if experiment.state != Experiment.State.RUNNING or judgement.state not in Judgement.ACTIVE:
        return None
    judgement.state = Judgement.State.RUNNING
    judgement.save(update_fields=["state"])
    return judgement


def _ask(judgement: Judgement) -> float | None:
    endpoint = endpoint_of(judgement.experiment)
    asked = question_of(judgement, endpoint)
    if answers.is_stored(judgement, asked.fields):
        return None
    try:
        need = limits.estimate(asked.prompt, asked.ids, endpoint)
        budget.reserve(judgement, budget.of_tokens(*need, endpoint))
    except budget.OverBudget as error:
        raise NoScore(str(error)) from error
    except budget.Occupied:
        return answers.queue(judgement, asked.fields, OCCUPIED_S)

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        if not Experiment.objects.filter(pk=judgement.experiment_id, state=Experiment.State.RUNNING).exists():
            raise JudgeUnavailable("the experiment was cancelled", CANCELLED_S)

    answer: Answer[Any]
    try:
        if asked.ids:
            answer = client.judge(asked.prompt, asked.ids, settings=endpoint, wait=wait)
        else:
            answer = client.judge_pair(asked.prompt, settings=endpoint, wait=wait)
    except (JudgeUnavailable, BadAnswer) as error:
        return answers.ask_again(judgement, asked.fields, error, endpoint)
    answers.keep(judgement, asked.fields, answer, endpoint)
    return None
