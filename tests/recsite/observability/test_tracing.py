"""Traces: real web processes and a real worker send them to a collector that speaks OTLP."""

import http.client
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from catalog.accounts.tokens import make_token
from recommender.models import TrainingRun
from tests import factories, processes


class Collector(http.server.ThreadingHTTPServer):
    """Keeps what is sent to it: the bodies as they came, and the spans that they hold."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.spans: list[Span] = []
        self.services: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def named(self, name: str) -> list[Span]:
        return [span for span in list(self.spans) if span.name == name]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.services |= {
                a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
            }
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(address: str, method: str, path: str, body: str | None = None, **headers: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def values(span: Span) -> dict[str, str | int]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_a_request_its_task_and_their_queries_are_one_trace_that_names_no_person(
    collector: Collector, artifacts_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setenv("LOG_FORMAT", "json")
    _, token = make_token(user=factories.user(is_superuser=True, is_staff=True), name="x", scope="staff", days=1)
    log = tmp_path / "worker.log"

    def paths() -> set[str | int | None]:
        return {values(span).get("url.path") for span in list(collector.spans)}

    with processes.web_server(tmp_path / "web.log", DEBUG="1") as address, processes.celery_worker(log):
        launched = ask(
            address,
            "POST",
            "/api/v1/staff/runs/",
            '{"family": "paper"}',
            **{"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        assert launched == 201
        ask(address, "GET", "/anime/?q=what-somebody-typed", **{"User-Agent": "Somebodys-Browser"})
        ask(address, "GET", "/accounts/password/reset/key/abc-secret123/")
        processes.wait_until(lambda: collector.named("run/recommender.tasks.train"), log)
        processes.wait_until(lambda: paths() >= {"/anime/", "/accounts/password/reset/key/…/"}, log)
    run = TrainingRun.objects.get()

    request, task = collector.named("POST api/v1/staff/runs/")[0], collector.named("run/recommender.tasks.train")[0]
    assert task.trace_id == request.trace_id
    assert values(request)["http.response.status_code"] == 201
    queried = {span.parent_span_id for span in collector.spans if "db.statement" in values(span)}
    assert {request.span_id, task.span_id} <= queried
    assert collector.services == {"recsite"}

    sent = b" ".join(collector.bodies)
    for secret in (b"secret123", b"somebody", b"Somebodys", token.encode()):
        assert secret not in sent, secret
    assert not any(values(request).get(name) for name in ("client.address", "client.port", "network.peer.address"))
    assert "/healthz" not in paths()

    records = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    failure = next(record for record in records if record["event"] == f"Training run {run} failed")
    assert failure["trace_id"] == task.trace_id.hex()


@pytest.mark.process
def test_a_process_that_is_not_traced_does_not_load_what_traces() -> None:
    script = (
        "import sys, recsite.wsgi\n"
        "print(*('opentelemetry.' + name in sys.modules for name in ('instrumentation', 'exporter')))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=processes.BASE_DIR, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False", "False"], done.stderr
