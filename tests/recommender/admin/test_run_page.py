"""A run's own page in the admin: launched from a form, watched, and led on by the buttons that its state allows."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from recommender.models import TrainingRun
from recommender.runs import lifecycle
from tests import factories

pytestmark = pytest.mark.django_db
LIST = "admin:recommender_trainingrun_changelist"


def page(client: Client, run: TrainingRun) -> str:
    return client.get(reverse("admin:recommender_trainingrun_change", args=[run.pk])).content.decode()


def member_of(client: Client, group: str) -> Client:
    person = factories.user(group.lower(), is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    client.force_login(person)
    return client


def test_a_launched_training_is_watched_and_cancelled_on_its_page(client: Client) -> None:
    trainer = member_of(client, "Trainer")
    form = {"family": "paper", "source": "everyone", "paper__epochs": "3"}
    response = trainer.post(reverse("admin:recommender_trainingrun_add"), form)
    run = TrainingRun.objects.get()
    assert response.headers["Location"] == reverse("admin:recommender_trainingrun_change", args=[run.pk])
    shown = page(trainer, run)
    assert '<th scope="row">epochs</th><td>3</td>' in shown
    assert "run-cancel_selected" in shown
    asked = {"action": "cancel_selected", "_selected_action": run.pk, "page_of": run.pk}
    assert trainer.post(reverse(LIST), asked).headers["Location"] == response.headers["Location"]
    run.refresh_from_db()
    assert run.state == TrainingRun.State.CANCELLED
    assert "run-cancel_selected" not in page(trainer, run)


@pytest.mark.parametrize(
    ("group", "offered"),
    [("Viewer", set()), ("Trainer", {"evaluate", "reproduce"}), ("Publisher", {"publish", "retire"})],
)
def test_a_page_offers_what_the_state_and_the_persons_rights_allow(
    client: Client, group: str, offered: set[str]
) -> None:
    run = TrainingRun.objects.create(family=TrainingRun.Family.PAPER)
    lifecycle.move(run, TrainingRun.State.RUNNING)
    lifecycle.move(run, TrainingRun.State.EVALUATING, has_artifact=True)
    lifecycle.move(run, TrainingRun.State.READY)
    shown = page(member_of(client, group), run)
    names = ("cancel", "publish", "retire", "evaluate", "reproduce")
    assert {name for name in names if f'id="run-{name}_selected"' in shown} == offered


def test_a_page_is_loaded_anew_once_the_run_has_ended(client: Client) -> None:
    run = TrainingRun.objects.create()
    trainer = member_of(client, "Trainer")
    address = reverse("admin:recommender_progress", args=[run.pk])
    assert "HX-Refresh" not in trainer.get(address).headers
    lifecycle.move(run, TrainingRun.State.FAILED, error="no ratings")
    assert trainer.get(address).headers["HX-Refresh"] == "true"
