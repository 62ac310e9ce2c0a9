"""Every endpoint for every role: who may, who may not, and whose rows are whose."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.utils import timezone

from catalog.accounts.groups import GROUPS, PUBLISHER, REVIEWER, TRAINER
from catalog.accounts.tokens import make_token
from catalog.api.auth import InScope
from catalog.datasets.models import ImportJob
from catalog.models import ListEntry, Rating, User
from evaluation.models import Evaluation, Review
from recommender.models import ServedList, TrainingRun
from recsite.api import urls as api
from tests import factories
from tests.evaluation.judging import answers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
CONTRACT = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi.yaml"
READ, WRITE, STAFF = "read", "write", "staff"

LIST_ID = "00000000-0000-4000-8000-000000000001"
LIST_EVENT = {"list_id": LIST_ID, "anime_id": 1, "kind": "click"}


@dataclass(frozen=True)
class Endpoint:
    """One operation, called in a way that succeeds for whoever may.

    Attributes:
        scope: what a token needs.
        is_public: whether it needs no account.
        status: of a success.
        others: the status for another user, who has no such row.
        groups: of staff, those that may.
    """

    method: str
    path: str
    scope: str
    body: Any = None
    is_public: bool = False
    status: int = 200
    others: int = 0
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def call(self, client: Client, headers: dict[str, str] | None = None) -> Any:
        body = () if self.body is None else (self.body,)
        kind = {"content_type": "application/json"} if body else {}
        return getattr(client, self.method)("/api/v1/" + self.path, *body, headers=headers, **kind)

    def expected(self, role: str) -> int:
        if self.is_public:
            return self.status
        if role == "anonymous":
            return 401
        if self.scope == STAFF:
            return self.status if role in ("staff", "staff token", *self.groups) else 403
        if self.scope == WRITE and role.startswith("read token"):
            return 403
        return self.status if role in OWNERS else self.others or self.status


MATRIX = [
    Endpoint("get", "anime/", READ, is_public=True),
    Endpoint("get", "anime/1/", READ, is_public=True),
    Endpoint("get", "anime/1/similar/", READ, is_public=True),
    Endpoint("get", "genres/", READ, is_public=True),
    Endpoint("get", "recommendations/", READ, is_public=True),
    Endpoint("post", "recommendations/", READ, {"ratings": [{"anime_id": 1, "score": 8}]}, is_public=True),
    Endpoint("get", "predictions/?anime_ids=1", READ, is_public=True),
    Endpoint("post", "predictions/", READ, {"anime_ids": [1], "ratings": []}, is_public=True),
    Endpoint("post", "events/", READ, {"events": [LIST_EVENT]}, is_public=True),
    Endpoint("get", "me/", READ),
    Endpoint("patch", "me/", WRITE, {"shows_adult": False}),
    Endpoint("get", "me/ratings/", READ),
    Endpoint("post", "me/ratings/", WRITE, {"anime_id": 1, "score": 8}, status=201),
    Endpoint("get", "me/ratings/1/", READ, others=404),
    Endpoint("put", "me/ratings/1/", WRITE, {"score": 9}),
    Endpoint("patch", "me/ratings/1/", WRITE, {"score": 9}, others=404),
    Endpoint("post", "me/ratings/bulk/", WRITE, {"ratings": [{"anime_id": 1, "score": None}]}),
    Endpoint("delete", "me/ratings/1/", WRITE, status=204, others=404),
    Endpoint("get", "me/list/", READ),
    Endpoint("post", "me/list/", WRITE, {"anime_id": 1, "status": "watching"}, status=201),
    Endpoint("get", "me/list/1/", READ, others=404),
    Endpoint("put", "me/list/1/", WRITE, {"status": "completed"}),
    Endpoint("patch", "me/list/1/", WRITE, {"status": "completed"}, others=404),
    Endpoint("post", "me/list/bulk/", WRITE, {"entries": [{"anime_id": 1, "status": None}]}),
    Endpoint("delete", "me/list/1/", WRITE, status=204, others=404),
    Endpoint("get", "staff/runs/", STAFF, groups=GROUPS),
    Endpoint("post", "staff/runs/", STAFF, {"family": "paper", "config": {"epochs": 1}}, status=201, groups=(TRAINER,)),
    Endpoint("get", "staff/runs/900001/", STAFF, groups=GROUPS),
    Endpoint("post", "staff/runs/900001/cancel/", STAFF, groups=(TRAINER,)),
    # Neither has files on disk: as far as the permission goes they may, and are told that it cannot be.
    Endpoint("post", "staff/runs/900001/publish/", STAFF, status=409, groups=(PUBLISHER,)),
    Endpoint("post", "staff/runs/roll-back/", STAFF, status=409, groups=(PUBLISHER,)),
    Endpoint("get", "staff/evaluations/", STAFF, groups=GROUPS),
    Endpoint("get", "staff/evaluations/900001/", STAFF, groups=GROUPS),
    Endpoint("post", "staff/evaluations/", STAFF, {"run_id": 900002}, status=201, groups=(TRAINER,)),
    Endpoint("get", "staff/imports/", STAFF, groups=GROUPS),
    Endpoint("get", "staff/imports/900001/", STAFF, groups=GROUPS),
    Endpoint("post", "staff/imports/", STAFF, {"source": "demo"}, status=201, groups=(TRAINER,)),
    Endpoint("get", "staff/experiments/", STAFF, groups=GROUPS),
    Endpoint("post", "staff/experiments/", STAFF, {"name": "new", "n_users": 1}, status=201, groups=(TRAINER,)),
    Endpoint("get", "staff/experiments/900001/", STAFF, groups=GROUPS),
    Endpoint("get", "staff/experiments/900001/results/", STAFF, groups=GROUPS),
    # It has ended, with a score for every list.
    Endpoint("post", "staff/experiments/900001/launch/", STAFF, status=409, groups=(TRAINER,)),
    Endpoint("post", "staff/experiments/900001/cancel/", STAFF, status=409, groups=(TRAINER,)),
    Endpoint("post", "staff/experiments/900001/resume/", STAFF, status=409, groups=(TRAINER,)),
    Endpoint("get", "staff/judgements/", STAFF, groups=GROUPS),
    Endpoint("get", "staff/judgements/900001/", STAFF, groups=GROUPS),
    Endpoint("get", "staff/reviews/", STAFF, groups=(REVIEWER,)),
    Endpoint("post", "staff/reviews/", STAFF, {"experiment_id": 900001}, groups=(REVIEWER,)),
    # The review is another person's, whoever asks.
    Endpoint("get", "staff/reviews/900001/", STAFF, status=404, groups=(REVIEWER,)),
    Endpoint("patch", "staff/reviews/900001/", STAFF, {"score": 7}, status=404, groups=(REVIEWER,)),
]
#: Tokens are the owner's, who is staff only where the role says so.
OWNERS = [
    "owner", "read token", "write token", "staff token", "staff token of former staff", "read token of staff",
    "write token of staff",
]  # fmt: skip
ROLES = ["anonymous", *OWNERS, "other user", "staff", "staff without rights", *GROUPS]
Caller = Callable[[Endpoint], Any]


@pytest.fixture
def owner() -> User:
    user = factories.user("owner")
    anime = factories.anime(mal_id=1)
    factories.rating(user, anime, 7)
    factories.list_entry(user, anime)
    ServedList.objects.create(key=LIST_ID, anime_ids=[1])
    TrainingRun.objects.create(pk=900001, family="paper")
    TrainingRun.objects.create(pk=900002, family="paper", state="ready", has_artifact=True)
    Evaluation.objects.create(pk=900001, run_id=900002, seed=5, state="done", finished_at=timezone.now())
    ImportJob.objects.create(pk=900001, source="demo", name="demo")
    ended = answers.experiment(pk=900001, state="done", finished_at=timezone.now(), reviewers_per_item=2)
    model, person = answers.contestant(ended), answers.subject(ended, [anime])
    judged = answers.scored(model, person, 7, [anime], pk=900001)
    Review.objects.create(pk=900001, item=judged.items.get(), reviewer=factories.user("reviewer"))
    return user


@pytest.fixture
def caller(role: str, owner: User) -> Caller:
    """Calls an endpoint as `role`."""
    client = Client()
    scope, token, rest = role.partition(" token")
    if token:
        owner.is_staff = True
        _, text = make_token(user=owner, name="test", scope=scope, days=1)
        owner.is_staff = owner.is_superuser = rest == " of staff" or role == "staff token"
        owner.save(update_fields=["is_staff", "is_superuser"])
        return lambda endpoint: endpoint.call(client, {"Authorization": f"Bearer {text}"})
    if role == "owner":
        client.force_login(owner)
    elif role != "anonymous":
        person = factories.user("somebody", is_staff=role != "other user", is_superuser=role == "staff")
        person.groups.set(Group.objects.filter(name=role))
        client.force_login(person)
    return lambda endpoint: endpoint.call(client)


@contextmanager
def undone() -> Iterator[None]:
    """Nothing that is written inside is there after."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_every_operation_is_in_this_matrix() -> None:
    operations = {
        (method, path.removeprefix("/api/v1/").replace("{anime_id}", "1").replace("{id}", "1"))
        for path, methods in yaml.safe_load(CONTRACT.read_text())["paths"].items()
        for method in methods
    }
    assert operations == {
        (endpoint.method, re.sub("900001", "1", endpoint.path.partition("?")[0])) for endpoint in MATRIX
    }


def test_every_address_is_in_the_contract_and_so_in_this_matrix() -> None:
    described = {re.sub(r"{\w+}", "{}", path) for path in yaml.safe_load(CONTRACT.read_text())["paths"]}
    assert described == {"/api/v1/" + re.sub(r"<[^>]*>", "{}", str(pattern.pattern)) for pattern in api.v1}


def test_every_view_heeds_the_scope_of_a_token() -> None:
    for pattern in api.v1:
        view = pattern.callback.cls()  # type: ignore[union-attr]
        assert InScope in view.permission_classes, pattern


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_is_its_own(role: str, caller: Caller, owner: User) -> None:
    for endpoint in MATRIX:
        with undone():
            response = caller(endpoint)
            said = f"{endpoint}: {response.content.decode()}"
            assert response.status_code == endpoint.expected(role), said
            if response.status_code >= 400:
                assert response.headers["Content-Type"] == "application/problem+json", said
            if role not in OWNERS:
                assert "owner" not in said
                assert Rating.objects.get(user=owner).score == 7, said
                assert ListEntry.objects.get(user=owner).status == "plan_to_watch", said


@pytest.mark.parametrize("endpoint", [e for e in MATRIX if e.scope != READ], ids=str)
def test_a_session_writes_only_with_a_csrf_token(endpoint: Endpoint, owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    assert endpoint.call(client).status_code == 403
    assert Rating.objects.get(user=owner).score == 7
