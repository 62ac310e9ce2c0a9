"""The report of the paper for a run: asked for in the admin, made by a worker, read in the admin."""

import re

import numpy as np
import pytest
from django.test import Client

from evaluation import tasks
from evaluation.models import PaperReport
from evaluation.paper import reproduction
from evaluation.paper import services as paper_services
from recommender.models import TrainingRun
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True)]
RUNS, REPORTS = "/admin/recommender/trainingrun/", "/admin/evaluation/paperreport/"


@pytest.fixture
def run() -> TrainingRun:
    config = {"factors": 4, "epochs": 2, "batch_size": 500, "clusters": 7, "seed": 3}
    return TrainingRun.objects.create(family="paper", config=config)


def load_community() -> None:
    """Eighty anime and 100 raters of two tastes."""
    rng = np.random.default_rng(0)
    anime = [factories.anime(members=int(members)).pk for members in rng.integers(10, 9000, 80)]
    for number in range(100):
        liked = rng.choice(anime[number % 2 :: 2], 12, replace=False)
        factories.member({int(pk): int(rng.integers(5, 11)) for pk in liked})


def test_a_report_is_launched_made_and_read_in_the_admin(
    client: Client, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = reproduction.Settings(
        cluster_grid=(2, 4),
        nprobes=(1, 100),
        search_users=(5,),
        search_items=(100,),
        seen_users=(10,),
        ranked_seen_users=20,
    )
    monkeypatch.setattr(reproduction, "FULL", small)
    load_community()
    client.force_login(factories.staff())
    answer = client.post(RUNS, {"action": "reproduce_selected", "_selected_action": [run.pk]}, follow=True)
    assert f"The report of {run} is queued." in answer.text
    report = PaperReport.objects.get(run=run)
    assert answer.redirect_chain[-1][0] == f"{REPORTS}{report.pk}/change/"
    assert 'hx-trigger="every 2s"' in answer.text

    tasks.reproduce_paper(report.pk)
    report.refresh_from_db()
    assert (report.error, report.state, report.step) == ("", "done", "")
    settings = report.findings["about"]["settings"]
    assert {name: settings[name] for name in run.config} == run.config
    answer = client.get(f"{REPORTS}{report.pk}/change/")
    section = re.search(r'<section class="module run-progress".*</section>', answer.text, re.DOTALL)
    assert section is not None
    assert "All methods on held-out users" in section[0]
    assert section[0].count("<svg") == 14
    assert not re.search(r"<style|<script| style=| on\w+=|every 2s", section[0])
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe-inline" not in answer["Content-Security-Policy"]

    made = report.finished_at
    tasks.reproduce_paper(report.pk)
    report.refresh_from_db()
    assert report.finished_at == made
    assert paper_services.request_report(run, is_quick=True).state == "queued"
    assert PaperReport.objects.get(run=run).is_quick


def test_without_data_the_report_fails_and_says_why(client: Client, run: TrainingRun) -> None:
    report = paper_services.request_report(run)
    paper_services.execute(report)
    report.refresh_from_db()
    assert report.state == "failed"
    assert "too few ratings to train on" in report.error
    client.force_login(factories.staff())
    assert "too few ratings to train on" in client.get(f"{REPORTS}{report.pk}/change/").text


def test_a_run_of_another_family_has_no_report(client: Client) -> None:
    other = TrainingRun.objects.create(family="history")
    with pytest.raises(ValueError, match="not of the paper's family"):
        paper_services.request_report(other)
    client.force_login(factories.staff())
    answer = client.post(RUNS, {"action": "reproduce_selected", "_selected_action": [other.pk]}, follow=True)
    assert "not of the paper" in answer.text
    assert not PaperReport.objects.exists()


def test_only_who_may_evaluate_launches_and_only_who_may_look_reads(client: Client, run: TrainingRun) -> None:
    report = paper_services.request_report(run)
    client.force_login(factories.user(is_staff=True))
    assert client.get(f"{REPORTS}{report.pk}/change/").status_code in (302, 403)
    assert client.get(f"{REPORTS}{report.pk}/found/").status_code in (403, 404)
    PaperReport.objects.all().delete()
    client.post(RUNS, {"action": "reproduce_selected", "_selected_action": [run.pk]})
    assert not PaperReport.objects.exists()
