"""The admin's start page: what it says, to whom, and that no state of the site breaks it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from evaluation.judging.models import Contestant, Experiment, Judgement, Subject
from recommender.models import TrainingRun
from recsite.celery import app
from recsite.observability import dashboard, queues
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
S = TrainingRun.State


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(factories.staff())
    return client


def text(client: Client, address: str = "/admin/") -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_new_site_says_what_there_is_not(boss: Client) -> None:
    page = text(boss)
    assert "No model is published" in page
    assert "No training." in page


def test_what_is_served_works_waits_and_failed_is_shown(boss: Client) -> None:
    rated, watched = factories.user(), factories.user()
    factories.rating(rated, factories.anime())
    factories.list_entry(watched, factories.anime(), "completed")
    factories.user(is_active=False)
    factories.dataset(interaction_count=1234, is_simulated=True)
    served = factories.published_model({1: [1.0], 2: [2.0]})
    TrainingRun.objects.create(state=S.RUNNING, phase="training", progress=0.25, worker="training@<host>")
    waiting = TrainingRun.objects.create(state=S.READY, has_artifact=True, waits_because="it is worse")
    now = timezone.now()
    TrainingRun.objects.create(state=S.FAILED, error="the disk is full", finished_at=now)
    TrainingRun.objects.create(state=S.FAILED, error="long ago", finished_at=now - timedelta(days=30))
    every = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="Do it", task="x", interval=every, last_run_at=now)
    PeriodicTask.objects.create(name="Leave it", task="x", interval=every, enabled=False)
    page = text(boss)
    assert f">{served}</a>" in page
    assert f'title="it is worse">{waiting}</a>' in page
    assert "training@&lt;host&gt;" in page
    assert "the disk is full" in page
    assert "long ago" not in page
    assert "1,236" in page
    assert "some are simulated" in page
    assert dashboard.coverage() == (2, 3)
    assert '<svg class="chart"' in page
    assert "Leave it</a></th> <td>off" in page
    assert text(boss, "/admin/dashboard/") in page.replace("  ", " ")


def test_the_last_experiments_scores_are_shown_best_first(boss: Client) -> None:
    for name, scores in (("first", (1, 1)), ("second", (3, 8))):
        experiment = Experiment.objects.create(name=name)
        subject = Subject.objects.create(experiment=experiment, member_id=1, stratum="1-5", history=[], watched=[])
        for label, score in zip(("popular", "ours"), scores, strict=True):
            contestant = Contestant.objects.create(experiment=experiment, kind="popularity", label=label)
            Judgement.objects.create(
                experiment=experiment,
                subject=subject,
                contestant=contestant,
                recommended=[],
                state=Judgement.State.SCORED,
                overall=score,
            )
    served = factories.published_model({1: [1.0], 2: [2.0]})
    TrainingRun.objects.filter(pk=served.pk).update(metrics={"ndcg@10": {"mean": 0.5, "low": 0.4, "high": 0.6}})
    page = text(boss)
    assert "<p>second</p>" in page
    assert "<dt>ours</dt><dd>8.0 (1)</dd></div><div><dt>popular</dt><dd>3.0 (1)</dd>" in page
    assert "NDCG@10 0.5 (0.4 – 0.6)" in page


def test_it_is_for_those_who_may_see_trainings(client: Client) -> None:
    clerk = factories.user(is_staff=True)
    client.force_login(clerk)
    assert "overview" not in text(client)
    assert client.get("/admin/dashboard/").status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_trainingrun"))
    assert "overview" in text(client)
    assert client.post("/admin/dashboard/").status_code == 405
    client.logout()
    assert client.get("/admin/dashboard/").status_code == 302


def test_queue_lengths_are_those_of_the_broker(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    before = queues.lengths()
    assert before
    app.send_task("recommender.tasks.train", args=(0,), expires=60)
    app.send_task("evaluation.tasks.decide", args=(0,), expires=60)
    assert queues.lengths() == {
        **before,
        "training": before["training"] + 1,
        "evaluation": before["evaluation"] + 1,
    }
    with monkeypatch.context() as patch:
        patch.setattr("django.conf.settings.REDIS_URL", "redis://127.0.0.1:1/0")
        assert queues.lengths() is None
        assert "Valkey does not answer." in text(boss)
