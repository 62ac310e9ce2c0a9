"""What is answered where no view answers, and what of a request is written down."""

import ast
import http.client
import logging
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.test import Client, RequestFactory
from redis.exceptions import TimeoutError as ValkeyTimeout

from recsite import errors
from recsite.local import embedded
from recsite.middleware import MAX_ADDRESS
from recsite.observability import logs
from tests import processes

PROBLEM = "application/problem+json"


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Client:
    """A client of a site on which whatever asks for the catalogue raises `error`."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    monkeypatch.setattr("catalog.models.AnimeQuerySet.visible_to", fail)
    return Client(raise_request_exception=False)


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError("gone"), ValkeyTimeout("slow")])
def test_a_store_that_is_away_is_a_503_that_says_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    client = failing(monkeypatch, error)
    answer, page = client.get("/api/v1/anime/"), client.get("/anime/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, PROBLEM)
    assert answer.json()["status"] == 503
    assert page.status_code == 503
    assert "<h1>The site cannot reach its data</h1>" in page.text
    assert int(answer.headers["Retry-After"]) == int(page.headers["Retry-After"]) > 0


@pytest.mark.django_db
def test_a_fault_of_ours_is_a_problem_or_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    client = failing(monkeypatch, RuntimeError("secret of ours"))
    answer, page = client.get("/api/v1/anime/"), client.get("/anime/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert "secret" not in answer.text
    assert (page.status_code, page.headers["Content-Type"]) == (500, "text/html; charset=utf-8")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/anime/", {"Host": "elsewhere.example.org"}, 400),
        ("/api/v1/anime/?type=a%00b", {}, 400),
        ("/api/v1/me/", {"Cookie": r'sessionid="aaaaaaaaaa\000b"'}, 400),
        ("/api/v1/a%00b/", {}, 400),
        ("/api/v1/anime/?q=" + "a" * MAX_ADDRESS, {}, 414),
        ("/api", {}, 404),
        ("/api/", {}, 404),
    ],
)
def test_what_django_refuses_below_the_api_is_a_problem(
    client: Client, settings: Any, path: str, headers: dict[str, str], status: int
) -> None:
    settings.APPEND_SLASH = False
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert answer.json()["status"] == status


def test_a_refusal_outside_of_the_framework_is_a_problem_too() -> None:
    answer = errors.permission_denied(RequestFactory().get("/api/v1/anime/"), PermissionDenied())
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, PROBLEM)


@pytest.mark.django_db
def test_elsewhere_it_is_a_page(client: Client) -> None:
    for path, status in (("/admin/login/?next=%00", 400), ("/nothing/", 404), ("/admin/?%00", 400)):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ("Not Found: /accounts/confirm-email/MQ:secret/", "Not Found: /accounts/confirm-email/…/"),
        ("Forbidden: /accounts/password/reset/key/1-secret/", "Forbidden: /accounts/password/reset/key/…/"),
        ('"GET /anime/?q=secret HTTP/1.1" 200', '"GET /anime/?… HTTP/1.1" 200'),
        ("Error handling request GET /anime/?q=secret", "Error handling request GET /anime/?…"),
    ],
)
def test_no_record_holds_a_query_or_the_key_of_a_reset_link(message: str, written: str) -> None:
    record = logging.LogRecord("any", logging.WARNING, __file__, 1, "%s", (message,), None)
    assert logs.WithoutAddresses().filter(record)
    assert record.getMessage() == written


def test_reports_hold_no_query() -> None:
    event = {
        "request": {"url": "http://a/anime/?q=secret", "query_string": "q=secret"},
        "logentry": {"message": "%s", "params": ["/?secret"], "formatted": "/a?secret"},
        "breadcrumbs": {"values": [{"message": "GET /a?secret", "data": {"url": "/?secret"}}]},
    }
    assert "secret" not in str(logs.without_addresses(event, {}))


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_the_server_logs_nothing_that_somebody_sent(tmp_path: Path, artifacts_dir: Path) -> None:
    log = tmp_path / "web.log"
    with processes.web_server(log, LOG_FORMAT="json", WEB_CONCURRENCY="1") as address:
        for line in ("G@T /anime/?q=secret1 HTTP/1.1", "GET /anime/?q=secret2 HTTX/9", "GET /" + "secret3" * 2000):
            connection = http.client.HTTPConnection(address, timeout=30)
            connection.connect()
            connection.sock.sendall(f"{line}\r\nHost: localhost\r\n\r\n".encode())
            assert connection.sock.recv(20)[:10] in (b"HTTP/1.0 4", b"HTTP/1.1 4")
            connection.close()
        for path in ("/nothing/?q=secret4", "/accounts/confirm-email/secret5:x/?secret6", "/admin/login/?q=%00secret7"):
            connection = http.client.HTTPConnection(address, timeout=30)
            connection.request("POST" if "confirm" in path else "GET", path)
            assert connection.getresponse().status >= 400
            connection.close()
    assert "secret" not in log.read_text()
    assert "request_started" in log.read_text()


def test_texts_of_users_are_parameters_of_errors_that_django_formats() -> None:
    """A message that is put together before is formatted once more by django-filter."""
    faults = []
    for package in ("catalog", "common", "evaluation", "recommender", "recsite"):
        for path in (embedded.BASE_DIR / package).rglob("*.py"):
            tree = ast.parse(path.read_text())
            for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
                name = ast.unparse(call.func)
                from_django = "django.core.exceptions import ValidationError" in path.read_text()
                if name == "forms.ValidationError" or (name == "ValidationError" and from_django):
                    messages = call.args[0].values if isinstance(call.args[0], ast.Dict) else call.args[:1]
                    if any(isinstance(one, ast.JoinedStr) or ast.unparse(one).startswith("str(") for one in messages):
                        faults.append(f"{path.name}:{call.lineno}")
    assert faults == []
