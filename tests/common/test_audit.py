"""Who did what stays written down, in the transaction of the change, and nobody changes it afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from catalog.accounts.tokens import make_token
from catalog.api.staff import StaffViewSet
from catalog.models import User
from common import audit
from common.models import AppendOnly, AuditEntry
from evaluation.models import Experiment
from evaluation.runs import gate
from recommender.models import TrainingRun
from recommender.runs import cleaning, schedules, services
from recsite.api import urls as api
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
RUNS = "/admin/recommender/trainingrun/"
API = "/api/v1/staff/"
JSON = "application/json"


@pytest.fixture
def boss() -> User:
    return factories.staff()


@pytest.fixture
def at_work(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


def written() -> list[tuple[str, str, str]]:
    """Who, what and which, first entry first."""
    return list(AuditEntry.objects.order_by("pk").values_list("actor_name", "action", "target_id"))


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: AuditEntry.objects.update(action="nothing"),
        lambda entry: AuditEntry.objects.all().delete(),
        lambda entry: AuditEntry.objects.bulk_update([entry], ["action"]),
        lambda entry: entry.save(),
        lambda entry: entry.delete(),
    ],
)
def test_the_model_changes_and_deletes_no_entry(change: Callable[[AuditEntry], Any]) -> None:
    entry = audit.record("thing.done")
    with pytest.raises(AppendOnly):
        change(entry)


@pytest.mark.parametrize("sql", ["UPDATE common_auditentry SET action = ''", "DELETE FROM common_auditentry"])
def test_the_database_changes_and_deletes_no_entry(sql: str) -> None:
    audit.record("thing.done")
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        connection.cursor().execute(sql)
    assert AuditEntry.objects.get().action == "thing.done"


def test_an_entry_outlives_its_author_and_its_target(at_work: Client, boss: User) -> None:
    run = TrainingRun.objects.create()
    at_work.post(RUNS, {"action": "cancel_selected", "_selected_action": [run.pk]})
    name, number = boss.username, boss.pk
    run.delete()
    boss.delete()
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.actor_id, entry.action) == (name, number, "trainingrun.cancel")
    assert (entry.target_kind, entry.target_id) == ("recommender.trainingrun", str(entry.target_id))
    assert entry.target_label


def test_what_staff_do_with_runs_in_the_admin_is_written_down(at_work: Client, boss: User) -> None:
    first, second = (factories.published_model({1: [1.0], 2: [2.0]}) for _ in range(2))
    at_work.post(f"{RUNS}roll-back/")
    at_work.post(RUNS, {"action": "publish_selected", "_selected_action": [second.pk]})
    at_work.post(f"{RUNS}train-now/")
    launched = TrainingRun.objects.latest("pk")
    at_work.post(RUNS, {"action": "cancel_selected", "_selected_action": [launched.pk]})
    at_work.post(RUNS, {"action": "evaluate_selected", "_selected_action": [first.pk]})
    at_work.post(RUNS, {"action": "delete_selected", "_selected_action": [launched.pk], "post": "yes"})
    who = boss.username
    assert [(name, action) for name, action, _ in written()] == [
        (who, "trainingrun.roll_back"),
        (who, "trainingrun.publish"),
        (who, "trainingrun.launch"),
        (who, "trainingrun.cancel"),
        (who, "evaluation.launch"),
        (who, "trainingrun.delete"),
    ]
    published = AuditEntry.objects.get(action="trainingrun.publish")
    assert published.target_id == str(second.pk)
    assert published.details == {"in_place_of": str(first)}


def test_what_is_refused_is_not_written_down(at_work: Client) -> None:
    run = TrainingRun.objects.create()
    at_work.post(RUNS, {"action": "publish_selected", "_selected_action": [run.pk]})
    at_work.post(f"{API}runs/{run.pk}/publish/")
    at_work.post(f"{API}runs/", {"family": "magic"}, JSON)
    assert written() == []


def test_an_entry_goes_with_the_transaction_of_its_change(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (factories.published_model({1: [1.0], 2: [2.0]}) for _ in range(2))

    def broken(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the log is not there")

    monkeypatch.setattr(AuditEntry.objects, "create", broken)
    with pytest.raises(DatabaseError), transaction.atomic():
        services.publish(old)
    assert TrainingRun.objects.published().get() == new


def test_a_program_of_staff_is_named_with_its_token(boss: User) -> None:
    _, text = make_token(user=boss, name="nightly job", scope="staff", days=7)
    made = Client().post(f"{API}runs/", {"family": "paper"}, JSON, headers={"Authorization": f"Bearer {text}"})
    assert made.status_code == 201
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action) == (boss.username, "trainingrun.launch")
    assert entry.details["token"].startswith("nightly job (")
    assert text not in str(entry.details)


def test_every_endpoint_of_staff_is_one_that_leaves_an_entry() -> None:
    staff = [view for prefix, view, _ in api.router.registry if prefix.startswith("staff/")]
    assert len(staff) == 6
    assert all(issubclass(view, StaffViewSet) for view in staff)


def test_a_call_that_no_service_records_leaves_its_address_once_for_a_key(at_work: Client, boss: User) -> None:
    for _ in range(2):
        answer = at_work.post(
            f"{API}experiments/",
            {"name": "new", "n_users": 1, "with_random": True},
            JSON,
            headers={"Idempotency-Key": "k"},
        )
        assert answer.status_code == 201
    assert Experiment.objects.count() == 1
    assert written() == [(boss.username, "experiment.create", "")]
    assert at_work.get(f"{API}experiments/").status_code == 200
    assert AuditEntry.objects.count() == 1


def test_imports_are_written_down(at_work: Client, boss: User) -> None:
    made = at_work.post(f"{API}imports/", {"source": "demo"}, JSON)
    assert written() == [(boss.username, "importjob.launch", str(made.json()["id"]))]


def test_what_nobody_asked_for_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.rating(factories.user(), factories.anime())
    assert schedules.retrain(TrainingRun.Cause.NIGHTLY)
    models = [factories.published_model({1: [1.0], 2: [2.0]}) for _ in range(2)]
    TrainingRun.objects.filter(pk=models[0].pk).update(state="ready", publishes_itself=True)
    monkeypatch.setattr(gate, "reasons_against", lambda run: [])
    gate.decide(models[0].pk)
    cleaning.clean_up(keep_last=0, keep_published=0)
    assert written() == [
        ("system", "trainingrun.launch", str(TrainingRun.objects.get(cause="nightly").pk)),
        ("system", "trainingrun.publish", str(models[0].pk)),
        ("system", "trainingrun.clean_up", str(models[1].pk)),
    ]
    assert not AuditEntry.objects.exclude(actor_id=None).exists()


def test_changes_of_accounts_and_rights_are_written_down(at_work: Client, boss: User) -> None:
    at_work.post("/admin/auth/group/add/", {"name": "New"})
    group = Group.objects.get(name="New")
    at_work.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Newer"})
    at_work.post("/admin/auth/group/", {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"})
    who, pk = boss.username, str(group.pk)
    assert written() == [(who, "group.add", pk), (who, "group.change", pk), (who, "group.delete", pk)]


def test_the_log_is_read_and_not_written_in_the_admin(at_work: Client) -> None:
    entry = audit.record("thing.done")
    audit.record("other.done", User.objects.first())
    page = "/admin/common/auditentry/"
    assert at_work.get(page, {"q": "thing"}).context["cl"].result_count == 1
    assert at_work.get(page, {"action": "other.done"}).context["cl"].result_count == 1
    assert at_work.get(f"{page}{entry.pk}/change/").status_code == 200
    for address in (f"{page}add/", f"{page}{entry.pk}/change/", f"{page}{entry.pk}/delete/"):
        assert at_work.post(address, {"action": "changed"}).status_code == 403
    person = factories.user(is_staff=True)
    client = Client()
    client.force_login(person)
    assert client.get(page).status_code == 403


def test_the_migration_can_be_undone() -> None:
    call_command("sqlmigrate", "common", "0001", "--backwards", verbosity=0)
