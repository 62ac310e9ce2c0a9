"""Programs of staff: trainings launched, watched, cancelled and published, with the permissions of the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from catalog.accounts.groups import PUBLISHER, TRAINER, VIEWER
from evaluation.models import Evaluation
from recommender.models import TrainingRun
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
JSON = "application/json"
RUNS = "/api/v1/staff/runs/"


def member_of(group: str) -> Client:
    person = factories.user(is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(person)
    return client


def launch(client: Client, **fields: Any) -> Any:
    return client.post(RUNS, {"family": "paper", **fields}, content_type=JSON)


def test_each_group_may_what_it_may_in_the_admin() -> None:
    viewer, trainer, publisher = (member_of(group) for group in (VIEWER, TRAINER, PUBLISHER))
    assert [launch(client).status_code for client in (viewer, trainer, publisher)] == [403, 201, 403]
    run = TrainingRun.objects.get()
    for client in (viewer, trainer, publisher):
        assert client.get(f"{RUNS}{run.pk}/").json()["state"] == "queued"
    assert [client.post(f"{RUNS}{run.pk}/publish/").status_code for client in (viewer, trainer, publisher)] == [
        403, 403, 409,
    ]  # fmt: skip
    assert [client.post(f"{RUNS}{run.pk}/cancel/").status_code for client in (viewer, publisher, trainer)] == [
        403, 403, 200,
    ]  # fmt: skip
    assert trainer.post(f"{RUNS}{run.pk}/cancel/").status_code == 409


def test_a_training_is_launched_as_asked_and_refused_by_field() -> None:
    client = member_of(TRAINER)
    answer = launch(client, config={"epochs": 3}, data_filter={"source": "accounts"}, publishes_itself=False).json()
    assert (answer["config"]["epochs"], answer["data_filter"]["source"]) == (3, "accounts")
    assert answer["publishes_itself"] is False
    assert TrainingRun.objects.get().started_by is not None
    for fields, pointer in (
        ({"config": {"epochs": -1}}, "#/config"),
        ({"config": {"no such": 1}}, "#/config"),
        ({"config": 3}, "#/config"),
        ({"data_filter": {"source": "nobody"}}, "#/data_filter"),
        ({"family": "magic"}, "#/family"),
    ):
        refused = launch(client, **fields)
        assert refused.status_code == 400
        assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]
    assert TrainingRun.objects.count() == 1


def test_a_launch_with_a_key_is_one_training() -> None:
    client = member_of(TRAINER)
    for _ in range(2):
        client.post(RUNS, {"family": "paper"}, content_type=JSON, headers={"Idempotency-Key": "nightly"})
    assert TrainingRun.objects.count() == 1


def test_a_model_is_published_and_rolled_back() -> None:
    anime = factories.anime()
    first, second = (factories.published_model({anime.pk: [1.0]}) for _ in range(2))
    client = member_of(PUBLISHER)
    back = client.post(f"{RUNS}roll-back/").json()
    assert (back["id"], back["state"]) == (first.pk, "published")
    assert client.post(f"{RUNS}{second.pk}/publish/").json()["state"] == "published"
    assert [row["state"] for row in client.get(RUNS).json()["results"]] == ["published", "retired"]


def test_a_model_is_measured_once_for_each_seed() -> None:
    run = factories.published_model({factories.anime().pk: [1.0]})
    client = Client()
    client.force_login(factories.staff())
    address = "/api/v1/staff/evaluations/"
    made = [client.post(address, {"run_id": run.pk, "seed": 1}, content_type=JSON).json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert client.get(f"{address}{made[0]}/").json()["state"] == "queued"
    for unknown in (run.pk + 1, TrainingRun.objects.create(family="paper").pk):
        refused = client.post(address, {"run_id": unknown}, content_type=JSON).json()
        assert refused["errors"][0]["pointer"] == "#/run_id"
    assert Evaluation.objects.count() == 1


def test_a_roll_back_that_is_sent_again_with_its_key_is_one_roll_back() -> None:
    anime = factories.anime()
    _, second, _ = [factories.published_model({anime.pk: [1.0]}) for _ in range(3)]
    client = member_of(PUBLISHER)
    answers = [
        client.post(f"{RUNS}roll-back/", {}, content_type=JSON, headers={"Idempotency-Key": "back"}) for _ in range(2)
    ]
    assert [answer.json()["id"] for answer in answers] == [second.pk] * 2
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert TrainingRun.objects.published().get() == second


def test_a_run_that_has_not_changed_is_not_sent_again() -> None:
    run = TrainingRun.objects.create(family="paper")
    client = member_of(VIEWER)
    etag = client.get(f"{RUNS}{run.pk}/").headers["ETag"]
    assert client.get(f"{RUNS}{run.pk}/", headers={"If-None-Match": etag}).status_code == 304
    TrainingRun.objects.update(progress=0.5)
    assert client.get(f"{RUNS}{run.pk}/", headers={"If-None-Match": etag}).status_code == 200
