"""Celery tasks of the evaluation: thin callers of the functions that do the work."""

from typing import Any

from celery import Task, shared_task

from common import queue

#: The next message comes before this one is worthless.
RESENT_MESSAGE_EXPIRES_S = 120


def send(task: "Task[Any, Any]", pk: int, **options: Any) -> None:
    """Have a worker do an evaluation or a report. While Valkey is away nothing is sent, and `resume_interrupted` does
    it later."""
    queue.send(f"{task.name} {pk}", lambda: task.apply_async((pk,), **options))


@shared_task(soft_time_limit=3600, time_limit=3660)
def decide(run_id: int) -> None:
    """Measure a trained run, and publish it if it may be. Safe to send twice, as a training is."""
    from evaluation.runs import gate

    gate.decide(run_id)


@shared_task(soft_time_limit=3600, time_limit=3660)
def evaluate(evaluation_id: int) -> None:
    """Measure a run's model. Safe to send twice: one worker holds an evaluation, and one that has ended stays."""
    from evaluation.models import Evaluation
    from evaluation.runs import services

    evaluation = Evaluation.objects.filter(pk=evaluation_id).select_related("run").first()
    if evaluation is not None:
        services.execute(evaluation)


@shared_task
def evaluate_published() -> None:
    """Have the published model measured anew, on the data as it is now."""
    from evaluation.runs import services
    from recommender.models import TrainingRun

    run = TrainingRun.objects.published().first()
    if run is not None:
        services.request_evaluation(run, again=True)


@shared_task(soft_time_limit=3600, time_limit=3660)
def reproduce_paper(report_id: int) -> None:
    """Reproduce the paper with a run's settings. Safe to send twice, as `evaluate` is."""
    from evaluation.models import PaperReport
    from evaluation.paper import services as paper_services

    report = PaperReport.objects.filter(pk=report_id).select_related("run").first()
    if report is not None:
        paper_services.execute(report)


@shared_task
def resume_interrupted() -> None:
    """Send again what no worker holds: a killed worker's evaluation, report or judgement, or one whose message was
    lost."""
    from common import locks
    from evaluation.judging.running import sending
    from evaluation.models import Evaluation, Job, PaperReport
    from evaluation.paper import services as paper_services
    from evaluation.runs import services

    active = (Job.State.QUEUED, Job.State.RUNNING)
    for pk in Evaluation.objects.filter(state__in=active).values_list("pk", flat=True):
        if not locks.is_held(pk, services.EVALUATIONS):
            send(evaluate, pk, expires=RESENT_MESSAGE_EXPIRES_S)
    for pk in PaperReport.objects.filter(state__in=active).values_list("pk", flat=True):
        if not locks.is_held(pk, paper_services.REPORTS):
            send(reproduce_paper, pk, expires=RESENT_MESSAGE_EXPIRES_S)
    sending.send_due()
