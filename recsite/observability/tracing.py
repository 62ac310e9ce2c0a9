"""Traces of requests, tasks and database queries, sent to an OpenTelemetry collector once an endpoint is set."""

import os
from typing import Any

from celery.signals import worker_process_shutdown
from django.http import HttpRequest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from recsite.observability import logs

# What a person typed or may be found by: our logs leave it out too.
_PERSONAL = (
    "client.address",
    "client.port",
    "network.peer.address",
    "network.peer.port",
    "url.query",
    "user_agent.original",
)


def start() -> None:
    """Trace what this process does. The SDK reads the standard OTEL_ variables itself; these are our defaults.

    Requests, tasks and queries are one trace: its id travels with the task from the web process to the worker.
    """
    os.environ.setdefault("OTEL_SERVICE_NAME", "recsite")
    # The names of attributes that are stable since 2023, and not those before.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(request_hook=_without_secrets, excluded_urls="/healthz,/readyz,/metrics,/static/")
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    PsycopgInstrumentor().instrument()

    # Processes of a worker end without what Python does at exit.
    def flush(**kwargs: Any) -> None:
        provider.force_flush()

    worker_process_shutdown.connect(flush, weak=False)


def _without_secrets(span: trace.Span, request: HttpRequest) -> None:
    span.set_attribute("url.path", logs.without_secrets(request.path))
    span.set_attributes(dict.fromkeys(_PERSONAL, ""))
