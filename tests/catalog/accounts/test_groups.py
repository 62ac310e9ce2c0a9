"""What the migrations let each group of staff see and do."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.test import Client

from catalog.accounts.groups import GROUPS, PUBLISHER, REVIEWER, TRAINER, VIEWER, grant
from catalog.models import User
from recommender.models import TrainingRun
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
RUNS = "/admin/recommender/trainingrun/"


@pytest.fixture(autouse=True)
def _groups() -> None:
    """As after `migrate`; a test that empties the tables may have run before."""
    import_module("recommender.migrations.0002_operations").grant_permissions(apps, None)


def in_group(client: Client, name: str | None) -> User:
    user = factories.user(is_staff=True)
    if name:
        user.groups.add(Group.objects.get(name=name))
    client.force_login(user)
    return user


def test_who_may_what() -> None:
    may = {name: set(Group.objects.get(name=name).permissions.values_list("codename", flat=True)) for name in GROUPS}
    acting = {"train", "publish", "delete_trainingrun", "change_periodictask"}
    assert {name: codenames & acting for name, codenames in may.items()} == {
        VIEWER: set(),
        TRAINER: {"train", "change_periodictask"},
        REVIEWER: set(),
        PUBLISHER: {"publish", "delete_trainingrun"},
    }
    assert all("view_trainingrun" in codenames for codenames in may.values())


def test_granting_keeps_what_staff_took_away_and_gives_what_is_new() -> None:
    group = Group.objects.get(name=REVIEWER)
    group.permissions.clear()
    grant(apps, "catalog", {REVIEWER: {"rating": ["change_rating"]}})
    assert list(group.permissions.values_list("codename", "name")) == [("change_rating", "Can change rating")]


@pytest.mark.parametrize(
    ("group", "offered"),
    [
        (VIEWER, set()),
        (REVIEWER, set()),
        (TRAINER, {"cancel_selected"}),
        (PUBLISHER, {"publish_selected", "retire_selected", "delete_selected"}),
    ],
)
def test_staff_see_the_actions_that_they_may_use(client: Client, group: str, offered: set[str]) -> None:
    TrainingRun.objects.create()
    in_group(client, group)
    page = client.get(RUNS).content.decode()
    actions = {"publish_selected", "retire_selected", "cancel_selected", "delete_selected"}
    assert {action for action in actions if f'value="{action}"' in page} == offered


def test_staff_without_rights_see_nothing(client: Client) -> None:
    in_group(client, None)
    assert client.get(RUNS).status_code == 403
    assert "Training runs" not in client.get("/admin/").content.decode()


def test_an_action_that_is_not_offered_does_nothing(client: Client) -> None:
    run = TrainingRun.objects.create()
    in_group(client, VIEWER)
    client.post(RUNS, {"action": "cancel_selected", "_selected_action": [run.pk]})
    run.refresh_from_db()
    assert run.state == "queued"


def test_a_publisher_deletes_what_is_not_served_and_the_files_with_it(client: Client) -> None:
    old, served = (factories.published_model({1: [1.0], 2: [2.0]}) for _ in range(2))
    in_group(client, PUBLISHER)
    refused = client.post(
        RUNS, {"action": "delete_selected", "_selected_action": [old.pk, served.pk], "post": "yes"}
    ).content.decode()
    assert f"{served}: Published" in refused
    assert TrainingRun.objects.count() == 2
    assert client.get(f"{RUNS}{served.pk}/delete/").status_code == 403
    client.post(RUNS, {"action": "delete_selected", "_selected_action": [old.pk], "post": "yes"})
    assert TrainingRun.objects.get() == served
