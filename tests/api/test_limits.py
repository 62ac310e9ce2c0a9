"""Requests that are larger, longer or deeper than any that is meant."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver
from rest_framework import serializers

from catalog.models import User
from common.api.fields import MAX_FAULTS
from recsite.incoming import API_MAX_BODY, max_body
from tests import factories

JSON = "application/json"
LISTS = [
    ("/api/v1/recommendations/", "ratings", 5000),
    ("/api/v1/predictions/", "ratings", 5000),
    ("/api/v1/predictions/", "anime_ids", 100),
    ("/api/v1/events/", "events", 500),
    ("/api/v1/me/ratings/bulk/", "ratings", 1000),
    ("/api/v1/me/list/bulk/", "entries", 1000),
]


@pytest.fixture
def client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, address: str, body: Any) -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    response = client.post(address, text, content_type=JSON)
    return response.status_code, response.json()


@pytest.mark.parametrize(("address", "name", "most"), LISTS)
def test_a_list_that_is_too_long_is_one_fault(client: Client, address: str, name: str, most: int) -> None:
    status, problem = post(client, address, {name: [{}] * (most + 1)})
    found = [fault for fault in problem["errors"] if fault["pointer"].startswith(f"#/{name}")]
    assert status == 400
    assert found == [{"pointer": f"#/{name}", "detail": f"Ensure this field has no more than {most} elements."}]


@pytest.mark.parametrize(("address", "name", "most"), LISTS)
def test_at_most_a_hundred_faults_are_reported(client: Client, address: str, name: str, most: int) -> None:
    status, problem = post(client, address, {name: [{}] * most})
    assert status == 400
    assert len(problem["errors"]) <= MAX_FAULTS


@pytest.mark.parametrize(("address", "name", "most"), LISTS)
def test_an_address_takes_the_longest_list_that_it_allows(address: str, name: str, most: int) -> None:
    ids = "0123abcd-0123-0123-0123-0123456789ab"
    row: Any = {"list_id": ids, "anime_id": 2**31, "kind": "dismissed", "score": 10, "status": "plan_to_watch"}
    needed = {
        "ratings": ("anime_id", "score"),
        "events": ("list_id", "anime_id", "kind"),
        "entries": ("anime_id", "status"),
    }
    rows = [{key: row[key] for key in needed[name]} if name in needed else 2**31 for _ in range(most)]
    assert len(json.dumps({name: rows}, indent=1)) < max_body(address)


def test_a_body_is_refused_by_what_its_address_takes(client: Client) -> None:
    for address in ("/api/v1/me/", "/api/v1/recommendations/", "/api/v1/events/", "/accounts/login/"):
        limit = max_body(address)
        response = client.post(address, " " * (limit + 1), content_type=JSON)
        assert response.status_code == 413
        assert response.json()["detail"] == f"The body is larger than {limit} bytes."
    assert max_body("/api/v1/me/") == API_MAX_BODY < max_body("/api/v1/recommendations/")


def test_a_body_without_a_length_is_not_taken_for_an_empty_one(client: Client) -> None:
    response = client.generic("POST", "/api/v1/recommendations/", headers={"Transfer-Encoding": "chunked"})
    assert response.status_code == 411


@pytest.mark.parametrize(
    "body",
    ["[" * 60_000, '{"a":' * 12_000, '{"ratings": [], "k": ' + "9" * 60_000 + "}", '{"ratings": [], "k": NaN}',
     '{"ratings": [], "diversity": Infinity}', '{"ratings": [], "diversity": 1e999}', '{"ratings": [], "k": 1e999}',
     '{"ratings": [{"anime_id": 1e999, "score": 5}]}', '{"ratings": [{"anime_id": -0.5, "score": true}]}'],
)  # fmt: skip
def test_numbers_and_depths_without_bound_are_faults_of_the_request(client: Client, body: str) -> None:
    assert post(client, "/api/v1/recommendations/", body)[0] == 400


def test_models_of_an_experiment_are_counted_before_they_are_looked_up(
    db: None, django_assert_max_num_queries: Any
) -> None:
    client = Client()
    client.force_login(factories.user(is_superuser=True, is_staff=True))
    with django_assert_max_num_queries(20):
        status, problem = post(client, "/api/v1/staff/experiments/", {"runs": list(range(1, 5000))})
    assert status == 400
    assert "#/runs" in {fault["pointer"] for fault in problem["errors"]}


def test_every_list_that_the_api_takes_is_bounded() -> None:
    unbounded = [
        f"{name}.{field}"
        for name, serializer in _serializers()
        for field, value in serializer._declared_fields.items()
        if type(value) in {serializers.ListField, serializers.ManyRelatedField} and not value.read_only
    ]
    assert unbounded == []


def _serializers() -> list[tuple[str, Any]]:
    assert get_resolver().url_patterns  # imports all of the API
    found: dict[str, Any] = {}
    waiting: list[Any] = [serializers.Serializer]
    while waiting:
        for one in waiting.pop().__subclasses__():
            if one.__module__.split(".")[0] in {"catalog", "recommender", "evaluation", "recsite"}:
                found[one.__qualname__] = one
            waiting.append(one)
    return sorted(found.items())
