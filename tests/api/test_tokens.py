"""Tokens: made and revoked on a page, kept as hashes, and good for what their scope says until they expire."""

import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from catalog.accounts.tokens import MAX_TOKENS, make_token
from catalog.models import ApiToken, User
from tests import factories

pytestmark = pytest.mark.django_db
ME = "/api/v1/me/"


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def make_on_page(client: Client, **fields: object) -> str:
    """The text of a token, as the page shows it."""
    page = client.post("/me/tokens/", {"name": "my script", "scope": "write", "days": 30, **fields})
    return "".join(re.findall(r'<code class="token">(\w+)</code>', page.text))


def test_a_token_is_made_shown_once_used_and_revoked_on_a_page(client: Client, user: User) -> None:
    client.force_login(user)
    text = make_on_page(client)
    listed = client.get("/me/tokens/").text
    assert "my script" in listed
    assert text[:15] in listed
    assert text not in listed
    program = Client()
    assert program.get(ME, headers=bearer(text)).json()["username"] == user.username
    assert program.patch(ME, {"shows_adult": True}, "application/json", headers=bearer(text)).status_code == 200
    client.post(f"/me/tokens/{text[:15]}/revoke/")
    refused = program.get(ME, headers=bearer(text))
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_the_database_holds_no_token(user: User) -> None:
    _, text = make_token(user=user, name="x", scope="read", days=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM catalog_apitoken t")
        (row,) = cursor.fetchone()
    assert text[:15] in row
    assert text[:16] not in row


def test_a_token_ends_with_its_time_and_with_its_user(client: Client, user: User) -> None:
    made, text = make_token(user=user, name="x", scope="read", days=7)
    assert abs(made.expiry - timezone.now() - timedelta(days=7)) < timedelta(minutes=1)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert client.get(ME, headers=bearer(text)).status_code == 401
    ApiToken.objects.update(expiry=timezone.now() + timedelta(days=1))
    assert client.get(ME, headers=bearer(text)).status_code == 200
    User.objects.update(is_active=False)
    assert client.get(ME, headers=bearer(text)).status_code == 401
    with pytest.raises(IntegrityError):
        ApiToken.objects.update(expiry=None)


@pytest.mark.parametrize("text", ["nonsense", "\x00", "a b", "", "é" * 64, "0" * 128])
def test_what_is_no_token_is_refused(client: Client, text: str) -> None:
    response = client.get(ME, headers={"Authorization": f"Bearer {text}"})
    assert response.status_code == 401
    assert response.json()["status"] == 401


def test_nobody_revokes_another_users_token(client: Client, user: User) -> None:
    made, text = make_token(user=user, name="x", scope="read", days=7)
    client.force_login(factories.user("other"))
    client.post(f"/me/tokens/{made.token_key}/revoke/")
    assert "You have no such token" in client.get("/me/tokens/").text
    assert Client().get(ME, headers=bearer(text)).status_code == 200


def test_the_scope_of_staff_is_for_staff(client: Client, user: User) -> None:
    client.force_login(user)
    assert make_on_page(client, scope="staff") == ""
    assert not ApiToken.objects.exists()
    client.force_login(factories.staff())
    assert make_on_page(client, scope="staff")


def test_nobody_has_more_than_so_many(client: Client, user: User) -> None:
    client.force_login(user)
    for _ in range(MAX_TOKENS):
        make_token(user=user, name="x", scope="read", days=7)
    page = client.post("/me/tokens/", {"name": "one more", "scope": "read", "days": 7}).text
    assert f"You have {MAX_TOKENS} tokens: revoke one first." in page
    ApiToken.objects.filter(pk=ApiToken.objects.values("pk")[:1]).update(expiry=timezone.now())
    assert make_on_page(client)


@pytest.mark.parametrize("fields", [{"name": ""}, {"scope": "root"}, {"days": 4000}])
def test_a_token_that_is_not_described_well_is_not_made(client: Client, user: User, fields: dict[str, object]) -> None:
    client.force_login(user)
    assert make_on_page(client, **fields) == ""
    assert not ApiToken.objects.exists()


def test_the_page_is_for_who_is_signed_in(client: Client) -> None:
    assert client.get("/me/tokens/").status_code == 302
    assert client.post("/me/tokens/x/revoke/").status_code == 302


def test_pages_of_other_sites_call_only_where_the_site_says_so(client: Client, settings: Settings) -> None:
    ask = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "GET"}
    assert "Access-Control-Allow-Origin" not in client.options("/api/v1/anime/", headers=ask).headers
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    answer = client.options("/api/v1/anime/", headers=ask).headers
    assert answer["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert "Access-Control-Allow-Credentials" not in answer
    assert {"authorization", "content-type", "idempotency-key", "if-none-match"} <= {
        *answer["Access-Control-Allow-Headers"].split(", ")
    }
    assert "Access-Control-Allow-Origin" not in client.get("/", headers=ask).headers


def test_an_account_is_throttled_less_than_an_address(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rest_framework.throttling.AnonRateThrottle.rate", "1/min", raising=False)
    monkeypatch.setattr("rest_framework.throttling.UserRateThrottle.rate", "3/min", raising=False)
    _, text = make_token(user=user, name="x", scope="read", days=7)
    assert [client.get("/api/v1/genres/").status_code for _ in range(2)] == [200, 429]
    answers = [client.get("/api/v1/genres/", headers=bearer(text)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
