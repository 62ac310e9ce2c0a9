"""The connections of one web process. A client that sends or reads slowly occupies no thread, and not for long.

waitress reads requests and sends answers in one loop, and its threads get whole requests. It only closes connections
on which nothing moves, so a client that sends a byte now and then could stay for ever: the deadlines here prevent that.
"""

import copy
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest

#: What a request's head, its body and its answer may take, in seconds. A body and an answer may take a second longer
#: for each BYTES_PER_S bytes.
HEAD_S, BODY_S, ANSWER_S, BYTES_PER_S = 10, 30, 30, 16 * 1024
#: How long a connection is kept open for another request, in seconds.
IDLE_S = 10
#: How long a refused body is read and thrown away, in seconds: closed at once, its sender might never see the answer.
LINGER_S = 5
MAX_HEAD, MAX_ADDRESS = 32 * 1024, 8 * 1024
#: How many bytes of requests that are still arriving one process holds, and how many connections.
MAX_ARRIVING, MAX_CONNECTIONS = 64 * 1024**2, 1000


class AddressTooLong(BadRequest):  # type: ignore[misc]
    code, reason = 414, "URI Too Long"


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request that is arriving. Its body may be as large as its address takes, and no more than that is stored."""

    adj: Any
    error: Any

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.body_rcv is not None:
            self.adj = copy.copy(self.adj)
            # waitress refuses a body of this size.
            self.adj.max_request_body_size = self.adj.max_body(self.path) + 1

    def received(self, data: bytes) -> int:
        taken: int = super().received(data)
        if self.headers_finished and not self.error and len(getattr(self, "request_uri", "")) > MAX_ADDRESS:
            self.error = AddressTooLong(f"The address is longer than {MAX_ADDRESS} characters.")
            self.completed = True
        if self.completed:
            # Nothing more is expected, so nobody must be told to go on sending.
            self.expect_continue = False
        return taken


class Answer(WSGITask):  # type: ignore[misc]
    """Runs the application for one request."""

    def execute(self) -> None:
        self.channel.answers += 1
        self.channel.server.on_request()
        if self.channel.server.is_stopping:
            self.set_close_on_finish()
        super().execute()


class Refusal(ErrorTask):  # type: ignore[misc]
    """The answer to what is not given to the application, as RFC 9457 problem details."""

    def execute(self) -> None:
        error = self.request.error
        detail = {
            413: f"The body is larger than {self.request.adj.max_request_body_size - 1} bytes.",
            431: f"The address and the headers are together larger than {MAX_HEAD} bytes.",
        }.get(error.code, error.body)
        problem = {"type": "about:blank", "title": error.reason, "status": error.code, "detail": detail}
        body = json.dumps(problem).encode()
        self.channel.is_refused = True
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]
    """One client's connection, which is closed when the client is too slow."""

    parser_class = Request
    task_class = Answer
    error_task_class = Refusal
    is_refused = False
    #: Whether what the client still sends is thrown away until it closes.
    is_lingering = False
    answers = 0
    #: What the connection was waiting for at the last tick, for how many ticks, and how much there was to send then.
    wait: tuple[Any, ...] = ()
    ticks = size = 0

    def tick(self) -> bool:
        """Count a second, and say whether the client had its time.

        Seconds in which this process did not come to read are not counted: they are not the client's fault.
        """
        wait, allowed_s = self._waits_for()
        if wait != self.wait:
            self.wait, self.ticks, self.size = wait, 0, self.total_outbufs_len
        self.ticks += 1
        return self.ticks > allowed_s

    def _waits_for(self) -> tuple[tuple[Any, ...], float]:
        """What, and for how many seconds at most."""
        if self.is_lingering:
            return ("close",), LINGER_S
        if self.total_outbufs_len:
            return ("sending", self.answers), ANSWER_S + self.size / BYTES_PER_S
        if self.requests:
            return ("application",), inf
        if self.request is None:
            return ("idle", self.last_activity), IDLE_S
        if self.request.headers_finished:
            return ("body", self.answers), BODY_S + self.request.body_bytes_received / BYTES_PER_S
        return ("head", self.answers), HEAD_S

    def arriving(self) -> int:
        """How many bytes of a body are here while the rest is not."""
        return self.request.body_bytes_received if self.request is not None else 0

    def is_idle(self) -> bool:
        return not (self.requests or self.request or self.total_outbufs_len)

    def readable(self) -> bool:
        return bool(self.is_lingering or super().readable())

    def handle_read(self) -> None:
        if not self.is_lingering:
            super().handle_read()
        elif not self.recv(self.adj.recv_bytes):
            self.handle_close()

    def handle_close(self) -> None:
        if self.is_refused and self.connected and not self.is_lingering and not self.total_outbufs_len:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
                self.is_lingering = True
                self.will_close = False
                return
        super().handle_close()


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Listens on a socket that gunicorn opened."""

    channel_class = Connection
    is_stopping = False

    def __init__(
        self,
        application: Any,
        listener: socket.socket,
        *,
        threads: int,
        backlog: int,
        max_body: Callable[[str], int],
        on_request: Callable[[], None],
        sockets: dict[int, Any],
    ) -> None:
        self.on_request = on_request
        adjustments = Adjustments(
            threads=threads,
            backlog=backlog,
            ident="",
            connection_limit=MAX_CONNECTIONS,
            cleanup_interval=1,
            max_request_header_size=MAX_HEAD,
            inbuf_overflow=64 * 1024,
            recv_bytes=64 * 1024,
            # Django knows which of these headers to trust (NUM_PROXIES).
            clear_untrusted_proxy_headers=False,
            log_socket_errors=False,
        )
        adjustments.max_body = max_body
        where = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(application, sockets, _sock=listener, adj=adjustments, sockinfo=where, bind_socket=False)

    def maintenance(self, now: float) -> None:
        """Close what is overdue, and the largest unfinished requests when there are too many. Runs every second."""
        connections: list[Connection] = list(self.active_channels.values())
        for connection in connections:
            if connection.tick():
                connection.handle_close()
        arriving = sum(connection.arriving() for connection in connections)
        for connection in sorted(connections, key=Connection.arriving, reverse=True):
            if arriving <= MAX_ARRIVING:
                break
            arriving -= connection.arriving()
            connection.handle_close()

    def stop(self) -> None:
        """Take no more connections, and close each one after its answer."""
        self.accepting = False
        self.is_stopping = True
