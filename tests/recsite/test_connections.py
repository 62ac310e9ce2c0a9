"""Connections of a web process, with a small application and a clock that the test turns: a tick is a second."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from waitress import wasyncore

from recsite.server import connections
from recsite.server.connections import ANSWER_S, BODY_S, HEAD_S, IDLE_S, LINGER_S, MAX_ADDRESS, Server

HEAD = b"POST /small/ HTTP/1.1\r\nHost: localhost\r\n"
MAX_BODY = {"/small/": 1000, "/large/": 10**6}


class Site:
    """A server in this process, whose loop runs when it is asked to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answer = b"ok"
        self.sockets: dict[int, Any] = {}
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        self.server = Server(
            self.application, listener, threads=1, backlog=64, max_body=MAX_BODY.__getitem__,
            on_request=lambda: None, sockets=self.sockets,
        )  # fmt: skip
        self.server.next_channel_cleanup = float("inf")

    def application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.bodies.append(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        start_response("200 OK", [("Content-Length", str(len(self.answer)))])
        return [self.answer]

    def connect(self, data: bytes = b"") -> socket.socket:
        client = socket.create_connection(self.address)
        client.sendall(data)
        self.turn()
        return client

    def turn(self, times: int = 5) -> None:
        for _ in range(times):
            wasyncore.poll2(0.01, self.sockets)

    def turn_until(self, condition: Callable[[], object]) -> None:
        for _ in range(3000):
            if condition():
                return
            wasyncore.poll2(0.01, self.sockets)
        raise AssertionError("the server did not come to it")

    def tick(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.server.maintenance(0.0)

    def count(self) -> int:
        return len(self.server.active_channels)

    def read(self, client: socket.socket) -> bytes:
        """All that comes until the server closes or waits for another request."""
        client.setblocking(False)
        found = b""

        def is_there() -> bool:
            nonlocal found
            with suppress(BlockingIOError):
                data = client.recv(2**20)
                found += data
                return not data
            head, _, body = found.partition(b"\r\n\r\n")
            return f"Content-Length: {len(body)}".encode() in head

        self.turn_until(is_there)
        return found


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.task_dispatcher.shutdown(timeout=1)
    wasyncore.close_all(site.sockets)


def problem(answer: bytes) -> tuple[int, str]:
    found = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found["status"], found["detail"]


def test_headers_have_to_be_whole_in_time_however_often_a_byte_comes(site: Site) -> None:
    client = site.connect(HEAD)
    for _ in range(HEAD_S):
        client.sendall(b"x")
        site.turn()
        site.tick(1)
    assert site.count() == 1
    site.tick(1)
    assert site.count() == 0


def test_a_connection_on_which_nothing_comes_is_closed(site: Site) -> None:
    clients = [site.connect() for _ in range(3)]
    site.tick(IDLE_S)
    assert site.count() == len(clients)
    site.tick(1)
    assert site.count() == 0


@pytest.mark.parametrize("length", [b"Content-Length: 900", b"Transfer-Encoding: chunked"])
def test_a_body_has_to_be_whole_in_time(site: Site, length: bytes) -> None:
    client = site.connect(HEAD + length + b"\r\n\r\n5\r\nabc")
    site.tick(BODY_S)
    assert site.count() == 1
    client.sendall(b"d")
    site.turn()
    site.tick(1)
    assert site.count() == 0
    assert site.bodies == []


def test_an_answer_has_to_be_read_in_time(site: Site) -> None:
    site.answer = b"x" * 8 * 2**20
    client = site.connect(HEAD + b"\r\n")
    site.turn_until(lambda: site.bodies and any(c.total_outbufs_len for c in site.server.active_channels.values()))
    site.tick(ANSWER_S)
    assert site.count() == 1
    site.tick(1 + len(site.answer) / connections.BYTES_PER_S)
    assert site.count() == 0
    client.close()


def test_one_who_is_quick_may_stay_and_ask_again(site: Site) -> None:
    client = site.connect()
    for turn in range(1, 8):
        site.tick(IDLE_S - 1)
        client.setblocking(True)
        client.sendall(HEAD + b"Content-Length: 1\r\n\r\nx")
        assert site.read(client).endswith(b"ok")
        assert len(site.bodies) == turn


def test_a_body_without_a_length_is_read_to_its_end(site: Site) -> None:
    client = site.connect(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert site.read(client).endswith(b"ok")
    assert site.bodies == [b"abcde"]


def test_a_body_is_refused_before_it_is_read(site: Site) -> None:
    client = site.connect(HEAD + b"Content-Length: 1001\r\n\r\n")
    assert problem(site.read(client)) == (413, "The body is larger than 1000 bytes.")
    assert site.bodies == []


def test_who_waits_for_leave_to_send_a_large_body_gets_the_refusal(site: Site) -> None:
    client = site.connect(HEAD + b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
    assert problem(site.read(client))[0] == 413


def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large(site: Site) -> None:
    client = site.connect(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"64\r\n" + b"x" * 100 + b"\r\n")
    client.sendall(b"ffff\r\n" + b"x" * 1500)
    assert problem(site.read(client)) == (413, "The body is larger than 1000 bytes.")
    assert site.bodies == []


def test_what_a_refused_client_still_sends_is_thrown_away_so_that_it_sees_the_answer(site: Site) -> None:
    client = site.connect(HEAD + b"Content-Length: 300000\r\n\r\n")
    site.turn_until(lambda: any(c.is_lingering for c in site.server.active_channels.values()))
    client.sendall(b"x" * 300_000)
    assert problem(site.read(client))[0] == 413
    site.tick(LINGER_S + 1)
    assert site.count() == 0


def test_an_address_and_headers_have_a_greatest_length(site: Site) -> None:
    client = site.connect(b"GET /small/?q=" + b"x" * MAX_ADDRESS + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert problem(site.read(client))[0] == 414
    client = site.connect(b"GET /small/ HTTP/1.1\r\nX: " + b"x" * connections.MAX_HEAD)
    assert problem(site.read(client))[0] == 431
    assert site.bodies == []


def test_the_largest_of_too_many_unfinished_bodies_is_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_ARRIVING", 5000)
    start = b"POST /large/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    clients = [site.connect(start + b"x" * size) for size in (2000, 4000, 1000)]
    site.turn_until(lambda: sum(c.arriving() for c in site.server.active_channels.values()) == 7000)
    site.tick(1)
    assert sorted(c.arriving() for c in site.server.active_channels.values()) == [1000, 2000]
    assert len(clients) == 3
