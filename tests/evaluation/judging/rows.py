"""Rows of experiments for tests."""

from typing import Any

from evaluation.judging.llm.prompts import PROMPT_VERSION
from evaluation.judging.models import Contestant, Experiment, Judgement, Subject
from tests import factories


def experiment(**fields: Any) -> Experiment:
    return Experiment.objects.create(**{"name": "which is best?", "state": Experiment.State.RUNNING, **fields})


def judgement(of: Experiment, **fields: Any) -> Judgement:
    """One list of two anime for somebody of one rating, with what else it needs."""
    contestant = of.contestants.first() or Contestant.objects.create(experiment=of, kind="random", label="random")
    anime = [factories.anime().pk for _ in range(3)]
    member = factories.member({anime[0]: 9})
    subject = Subject.objects.create(
        experiment=of, member_id=member.pk, stratum="1-5", history=[[anime[0], 9]], watched=anime[:1]
    )
    return Judgement.objects.create(
        **{
            "experiment": of,
            "subject": subject,
            "contestant": contestant,
            "recommended": anime[1:],
            "shown": anime[:0:-1],
            "prompt_version": PROMPT_VERSION,
            **fields,
        }
    )
