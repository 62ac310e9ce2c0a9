"""Celery tasks of the evaluation: thin callers of the functions that do the work."""

from celery import shared_task


@shared_task(soft_time_limit=3600, time_limit=3660)
def decide(run_id: int) -> None:
    """Measure a trained run, and publish it if it may be. Safe to send twice, as a training is."""
    from evaluation import gate

    gate.decide(run_id)


@shared_task(soft_time_limit=3600, time_limit=3660)
def evaluate(evaluation_id: int) -> None:
    """Measure a run's model. Safe to send twice: one worker holds an evaluation, and one that has ended stays."""
    from evaluation import services
    from evaluation.models import Evaluation

    evaluation = Evaluation.objects.filter(pk=evaluation_id).select_related("run").first()
    if evaluation is not None:
        services.execute(evaluation)


@shared_task(soft_time_limit=3600, time_limit=3660)
def reproduce_paper(report_id: int) -> None:
    """Reproduce the paper with a run's settings. Safe to send twice, as `evaluate` is."""
    from evaluation import reports
    from evaluation.models import PaperReport

    report = PaperReport.objects.filter(pk=report_id).select_related("run").first()
    if report is not None:
        reports.execute(report)
