"""The report of the paper for a run: asked for in the admin, made by a worker, kept with the run."""

from dataclasses import replace

from django.db import transaction

from common import audit
from evaluation import jobs, tasks
from evaluation.models import PaperReport
from recommender.engine.paper.config import PaperConfig
from recommender.models import TrainingRun

REPORTS = jobs.NAMESPACE + 2


@transaction.atomic
def request_report(run: TrainingRun, *, is_quick: bool = False) -> PaperReport:
    """Queue the report of a run, anew when there is one; one that is being made goes on.

    Raises:
        ValueError: the run is of another family.
    """
    if run.family != TrainingRun.Family.PAPER:
        raise ValueError(f"{run} is not of the paper's family: its report would be of another model.")
    report, is_new = PaperReport.objects.get_or_create(run=run, defaults={"is_quick": is_quick})
    if is_new or jobs.queue_again(report):
        PaperReport.objects.filter(pk=report.pk).update(is_quick=is_quick)
        audit.record("paperreport.launch", report, is_quick=is_quick)
        transaction.on_commit(lambda: tasks.send(tasks.reproduce_paper, report.pk))
    report.refresh_from_db()
    return report


def execute(report: PaperReport) -> None:
    """Make a report that waits; takes minutes. Safe to call twice."""
    jobs.execute(report, _make, namespace=REPORTS)


def _make(report: PaperReport) -> None:
    """The model is trained anew: the paper's evaluation has its own held-out users and its own splits."""
    from evaluation.offline.database import read_database
    from evaluation.paper.reproduction import FULL, QUICK, reproduce

    config = PaperConfig.from_dict(report.run.config).to_dict()
    settings = replace(QUICK, **{**config, "epochs": QUICK.epochs}) if report.is_quick else replace(FULL, **config)
    jobs.step(report, "Reading the data")
    report.findings = reproduce(read_database(), settings, lambda name: jobs.step(report, name))
