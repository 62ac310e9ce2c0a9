"""Every endpoint for every role: who may, who may not, and whose rows are whose."""

import pytest
from django.test import Client
from django.urls import URLPattern

from catalog.models import ListEntry, Rating, User
from recsite import api
from tests import factories

pytestmark = pytest.mark.django_db

PUBLIC = [
    ("get", "/api/v1/anime/"),
    ("get", "/api/v1/anime/1/"),
    ("get", "/api/v1/anime/1/similar/"),
    ("get", "/api/v1/genres/"),
    ("get", "/api/v1/recommendations/"),
    ("post", "/api/v1/recommendations/"),
]
OWN = [
    ("get", "/api/v1/me/"),
    ("patch", "/api/v1/me/"),
    ("get", "/api/v1/me/ratings/"),
    ("post", "/api/v1/me/ratings/"),
    ("get", "/api/v1/me/ratings/1/"),
    ("put", "/api/v1/me/ratings/1/"),
    ("delete", "/api/v1/me/ratings/1/"),
    ("get", "/api/v1/me/list/"),
    ("post", "/api/v1/me/list/"),
    ("get", "/api/v1/me/list/1/"),
    ("put", "/api/v1/me/list/1/"),
    ("delete", "/api/v1/me/list/1/"),
]
BODIES = {
    ("post", "/api/v1/recommendations/"): {"ratings": [{"anime_id": 1, "score": 8}]},
    ("patch", "/api/v1/me/"): {"shows_adult": False},
    ("post", "/api/v1/me/ratings/"): {"anime_id": 1, "score": 8},
    ("put", "/api/v1/me/ratings/1/"): {"score": 9},
    ("post", "/api/v1/me/list/"): {"anime_id": 1, "status": "watching"},
    ("put", "/api/v1/me/list/1/"): {"status": "completed"},
}


def call(client: Client, method: str, path: str):
    body = BODIES.get((method, path))
    return (
        getattr(client, method)(path, body, content_type="application/json") if body else getattr(client, method)(path)
    )


@pytest.fixture
def owner() -> User:
    user = factories.user("owner")
    anime = factories.anime(mal_id=1)
    factories.rating(user, anime, 7)
    factories.list_entry(user, anime)
    return user


def test_every_address_is_in_this_matrix() -> None:
    patterns = {str(p.pattern) for p in api.v1 if isinstance(p, URLPattern)}
    covered = {path.removeprefix("/api/v1/").replace("/1/", "/<id>/") for _, path in [*PUBLIC, *OWN]}
    plain = {
        p.replace("<int:id>", "<id>").replace("<int:anime_id>", "<id>").replace("<drf_format_suffix:format>", "")
        for p in patterns
    }
    assert plain == covered


@pytest.mark.parametrize(("method", "path"), PUBLIC)
@pytest.mark.parametrize("role", ["anonymous", "user", "staff"])
def test_the_catalogue_is_for_everybody(role: str, method: str, path: str, owner: User, client: Client) -> None:
    if role != "anonymous":
        client.force_login(factories.user() if role == "user" else factories.staff())
    assert call(client, method, path).status_code == 200


@pytest.mark.parametrize(("method", "path"), OWN)
def test_what_is_mine_is_closed_to_the_anonymous(method: str, path: str, owner: User, client: Client) -> None:
    response = call(client, method, path)
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), OWN)
@pytest.mark.parametrize("role", ["user", "staff"])
def test_nobody_reads_or_changes_what_is_another_users(
    role: str, method: str, path: str, owner: User, client: Client
) -> None:
    client.force_login(factories.user("other") if role == "user" else factories.staff(username="boss"))
    response = call(client, method, path)
    assert "owner" not in response.content.decode()
    assert response.status_code in (200, 201, 404)
    if method in ("get", "delete") and path.endswith("/1/"):
        assert response.status_code == 404
    assert Rating.objects.get(user=owner).score == 7
    assert ListEntry.objects.get(user=owner).status == "plan_to_watch"


@pytest.mark.parametrize(("method", "path"), OWN)
def test_one_reads_and_changes_ones_own(method: str, path: str, owner: User, client: Client) -> None:
    client.force_login(owner)
    assert call(client, method, path).status_code == {"post": 201, "delete": 204}.get(method, 200)


@pytest.mark.parametrize(("method", "path"), [pair for pair in OWN if pair[0] != "get"])
def test_a_session_writes_only_with_a_csrf_token(method: str, path: str, owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    assert call(client, method, path).status_code == 403
    assert Rating.objects.get(user=owner).score == 7
