"""What a web process brings into memory, and how the web server holds under clients that are slow or greedy."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from recsite.local import embedded
from recsite.server.worker import WaitressWorker
from tests.processes import web_server

HEAVY = ("flax", "jax", "jaxlib", "openai", "optax", "pandas", "sklearn")


@pytest.mark.process
def test_web_process_imports_no_numerics_beyond_numpy() -> None:
    script = (
        "import sys, recsite.wsgi\n"
        "from django.urls import get_resolver\n"
        "assert get_resolver().url_patterns\n"
        "print(*sorted(name for name in sys.modules if '.' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=embedded.BASE_DIR)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "numpy" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.process
def test_a_request_takes_one_thread_of_the_machine() -> None:
    script = (
        "import recsite.gunicorn_config, recsite.wsgi, threadpoolctl\n"
        "print(*(pool['num_threads'] for pool in threadpoolctl.threadpool_info()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=embedded.BASE_DIR)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"1"}


SLOW = {
    "head": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "body": b"POST /api/v1/recommendations/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 4000\r\n\r\n{",
    "answer": b"GET /api/schema/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", SLOW)
def test_200_slow_clients_keep_nobody_waiting(tmp_path: Path, kind: str) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(web_server(tmp_path / "log"))
        host, port = address.split(":")
        # An answer that is not read has to be made first: a few are enough for every thread there is.
        for _ in range(12 if kind == "answer" else 200):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect((host, int(port)))
            client.sendall(SLOW[kind])
        for _ in range(5):
            assert ask(address, "GET", "/healthz")[0] == 200
            assert ask(address, "POST", "/api/v1/recommendations/", b'{"ratings": []}')[0] == 200


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_forms_and_calls_may_come_in_chunks(tmp_path: Path) -> None:
    with web_server(tmp_path / "log", DEBUG="1") as address:  # pages need no collected static files then
        call = [b'{"ratings": [{"anime_id"', b': 1, "score": 9}], "k": 1}']
        assert ask(address, "POST", "/api/v1/recommendations/", call)[0] == 200
        status, headers, page = ask(address, "GET", "/accounts/login/", headers={"Content-Type": "text/html"})
        assert status == 200
        token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        form = [b"csrfmiddlewaretoken=", token[1], b"&login=nobody&password=wrong"]
        more = {"Cookie": headers["Set-Cookie"].split(";")[0], "Content-Type": "application/x-www-form-urlencoded"}
        assert ask(address, "POST", "/accounts/login/", form, more)[0] == 200
        # http.client sends all of it before it reads the answer.
        status, _, problem = ask(address, "POST", "/api/v1/recommendations/", [b"x" * 2**20] * 3)
        assert (status, json.loads(problem)["status"]) == (413, 413)


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_a_process_that_has_served_enough_is_replaced_and_its_counts_stay(tmp_path: Path) -> None:
    program = ("-m", "gunicorn", "--max-requests", "5", "--max-requests-jitter", "0")
    with web_server(tmp_path / "log", program=program, WEB_CONCURRENCY="1") as address:
        for asked in range(1, 13):
            counted = _requests(ask(address, "GET", "/metrics")[2].decode())
            assert counted > asked  # the request that waited for the server is counted too


@pytest.mark.parametrize(("limit_mb", "goes_on"), [("1", False), ("1000000", True)])
def test_a_process_that_has_grown_ends_itself(monkeypatch: pytest.MonkeyPatch, limit_mb: str, goes_on: bool) -> None:
    monkeypatch.setenv("WEB_MEMORY_MB", limit_mb)
    worker = object.__new__(WaitressWorker)
    worker.alive, worker.ppid, worker.log, worker.tmp = True, os.getppid(), Mock(), Mock()
    worker._process, worker._sockets = psutil.Process(), {}
    worker._turn(timeout_s=0)
    assert worker.alive is goes_on


def _requests(metrics: str) -> float:
    found = re.search(r"^django_http_requests_before_middlewares_total (\S+)", metrics, re.MULTILINE)
    assert found, metrics[:1000]
    return float(found[1])


def ask(address: str, method: str, path: str, body: Any = None, headers: Any = None) -> tuple[int, Any, bytes]:
    """One request on a connection of its own; a list as a body goes in chunks."""
    connection = http.client.HTTPConnection(address, timeout=50)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()
