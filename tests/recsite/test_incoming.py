"""Charsets that decode nothing."""

import encodings.aliases
import io
import logging
from typing import Any

import pytest

from recsite.wsgi import application

CHARSETS = sorted({*encodings.aliases.aliases.values(), "zlib", "rot13", "idna", "punycode", "undefined", "none", "é"})


def ask(path: str, query: str, content_type: str) -> str:
    answered: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        answered.append(status)

    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_TYPE": content_type,
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
    }  # fmt: skip
    for _ in application(environ, start_response):
        pass
    return answered[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/healthz", "/api/v1/genres/"])
def test_no_charset_breaks_an_address_with_a_query(path: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answers = {charset: ask(path, "q=naruto%E3%81%82", f"text/html; charset={charset}") for charset in CHARSETS}
    assert {charset: answer for charset, answer in answers.items() if answer[:3] not in {"200", "400"}} == {}
    assert "naruto" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_search_with_a_charset_that_decodes_nothing_is_answered() -> None:
    assert ask("/anime/", "q=naruto", "text/html; charset=zlib") == "200 OK"
