"""Schedules in the admin: times and on or off for Trainers, arguments for superusers, tasks for nobody."""

import json
from importlib import import_module
from typing import Any

import pytest
from celery import current_app
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from catalog.accounts.groups import PUBLISHER, REVIEWER, TRAINER, VIEWER
from catalog.models import User
from common.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db
LIST = "/admin/django_celery_beat/periodictask/"
CLEAN_UP = "recommender.tasks.clean_up"


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Tasks that would have gone to the broker."""
    import_module("recommender.migrations.0002_operations").grant_permissions(apps, None)
    import_module("recommender.migrations.0003_schedules").create_schedules(apps, None)
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **given: found.append((name, given)))
    return found


@pytest.fixture
def schedule() -> PeriodicTask:
    return PeriodicTask.objects.get(task=CLEAN_UP)


def member_of(group: str) -> tuple[Client, User]:
    person = factories.user(is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(person)
    return client, person


def superuser() -> Client:
    client = Client()
    client.force_login(factories.staff())
    return client


def page_of(schedule: PeriodicTask) -> str:
    return f"{LIST}{schedule.pk}/change/"


def test_a_trainer_changes_time_and_switch_and_nothing_else(schedule: PeriodicTask) -> None:
    trainer, person = member_of(TRAINER)
    page = trainer.get(page_of(schedule))
    assert set(page.context["adminform"].form.fields) == {"enabled", "crontab", "interval"}
    other = CrontabSchedule.objects.exclude(pk=schedule.crontab_id).first()
    assert other is not None
    forged = {"task": "recommender.tasks.train", "regtask": "recommender.tasks.train", "name": "mine", "queue": "x"}
    forged |= {"kwargs": '{"keep_last": 0, "keep_published": 0}', "args": "[0, 0]", "headers": "{}"}
    trainer.post(page_of(schedule), {"crontab": other.pk, **forged})
    before = (schedule.name, schedule.task, schedule.kwargs, schedule.args, schedule.queue)
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.crontab) == (False, other)
    assert (schedule.name, schedule.task, schedule.kwargs, schedule.args, schedule.queue) == before
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action, entry.target_label) == (
        person.username, "periodictask.change", str(schedule),
    )  # fmt: skip
    assert entry.details["enabled"] is False
    assert entry.details["when"] == str(other)


def test_nobody_makes_a_schedule_and_only_superusers_delete_one(schedule: PeriodicTask) -> None:
    person = factories.user(is_staff=True)
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="django_celery_beat"))
    client = Client()
    client.force_login(person)
    for one in (client, superuser()):
        assert one.post(f"{LIST}add/", {"name": "mine", "task": CLEAN_UP}).status_code == 403
    assert client.post(f"{LIST}{schedule.pk}/delete/", {"post": "yes"}).status_code == 403
    assert superuser().post(f"{LIST}{schedule.pk}/delete/", {"post": "yes"}).status_code == 302


@pytest.mark.parametrize("group", [VIEWER, REVIEWER, PUBLISHER])
@pytest.mark.parametrize("action", ["switch_off", "run_now", "disable_tasks", "run_tasks", "toggle_tasks"])
def test_who_may_only_look_neither_switches_nor_runs(
    schedule: PeriodicTask, sent: list[Any], group: str, action: str
) -> None:
    client, _ = member_of(group)
    client.post(LIST, {"action": action, "_selected_action": [schedule.pk]})
    schedule.refresh_from_db()
    assert schedule.enabled
    assert sent == []


def test_a_trainer_runs_a_task_with_the_arguments_of_its_schedule(schedule: PeriodicTask, sent: list[Any]) -> None:
    trainer, person = member_of(TRAINER)
    forged = {"kwargs": '{"keep_last": 0}', "args": "[0]", "keep_last": 0}
    trainer.post(LIST, {"action": "run_now", "_selected_action": [schedule.pk], **forged})
    assert sent == [(CLEAN_UP, {"kwargs": {"keep_last": 5, "keep_published": 3}})]
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action) == (person.username, "periodictask.run")


def test_a_trainer_switches_schedules_off_and_on(schedule: PeriodicTask) -> None:
    trainer, person = member_of(TRAINER)
    for action, enabled in (("switch_off", False), ("switch_on", True), ("switch_on", True)):
        trainer.post(LIST, {"action": action, "_selected_action": [schedule.pk]})
        schedule.refresh_from_db()
        assert schedule.enabled is enabled
    assert [entry.details["enabled"] for entry in AuditEntry.objects.order_by("pk")] == [False, True]
    assert {entry.actor_name for entry in AuditEntry.objects.all()} == {person.username}


def test_a_superuser_changes_arguments_that_the_task_takes(schedule: PeriodicTask) -> None:
    client = superuser()
    fields = {"enabled": "on", "crontab": schedule.crontab_id}
    client.post(page_of(schedule), {**fields, "kwargs": '{"keep_last": 9, "keep_published": 2}'})
    schedule.refresh_from_db()
    assert json.loads(schedule.kwargs) == {"keep_last": 9, "keep_published": 2}
    for wrong in (
        '{"keep_last": 0}',
        '{"keep_last": true}',
        '{"keep": 5}',
        "[5]",
        "x",
        '{"keep_last": "9"}',
        "[" * 9999,
    ):
        page = client.post(page_of(schedule), {**fields, "kwargs": wrong})
        assert page.context["adminform"].form.errors["kwargs"], wrong
    schedule.refresh_from_db()
    assert json.loads(schedule.kwargs)["keep_last"] == 9


def test_a_trainer_changes_no_times_that_schedules_share(schedule: PeriodicTask) -> None:
    trainer, _ = member_of(TRAINER)
    page = f"/admin/django_celery_beat/crontabschedule/{schedule.crontab_id}/change/"
    assert trainer.get(page).status_code == 200
    assert trainer.post(page, {"minute": "*"}).status_code == 403
    for name in ("crontabschedule", "intervalschedule", "clockedschedule", "solarschedule"):
        assert trainer.get(f"/admin/django_celery_beat/{name}/add/").status_code == 403
        assert superuser().get(f"/admin/django_celery_beat/{name}/add/").status_code == 200
