"""`/metrics` for Prometheus: what the web processes counted, and how things stand at the moment."""

import ipaddress
import os
import secrets
from collections.abc import Iterator

import prometheus_client
import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from recommender.models import TrainingRun
from recommender.runs import schedules
from recsite.observability import queues, task_metrics
from recsite.observability.dashboard import coverage


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For who has the token; without a token, for this machine alone, asked directly."""
    if not _may_see(request):
        return HttpResponseForbidden("Send METRICS_TOKEN as a bearer token.\n", content_type="text/plain")
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        counted = prometheus_client.generate_latest(registry)
    else:
        counted = prometheus_client.generate_latest(prometheus_client.REGISTRY)
    present = CollectorRegistry()
    present.register(Present())
    return HttpResponse(
        counted + prometheus_client.generate_latest(present), content_type=prometheus_client.CONTENT_TYPE_LATEST
    )


def _may_see(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False  # a proxy asks for somebody else
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class Present(Collector):
    """Queues, trainings, the published model and whom it reaches, read when they are asked for."""

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("recsite_queue_length", "Tasks that no worker has taken.", labels=["queue"])
        for name, length in (queues.lengths() or {}).items():
            waiting.add_metric([name], length)
        yield waiting
        runs = GaugeMetricFamily("recsite_training_runs", "Training runs, by state.", labels=["state"])
        states = list(TrainingRun.objects.values_list("state", flat=True))
        for state in TrainingRun.State.values:
            runs.add_metric([state], states.count(state))
        yield runs
        published = TrainingRun.objects.published().first()
        if published is not None and published.published_at is not None:
            age = GaugeMetricFamily("recsite_model_age_seconds", "Since the model was published.", labels=["model"])
            age.add_metric([str(published)], (timezone.now() - published.published_at).total_seconds())
            yield age
        covered, people = coverage()
        yield GaugeMetricFamily("recsite_accounts", "Active accounts.", value=people)
        yield GaugeMetricFamily("recsite_accounts_covered", "Accounts with a list of their own.", value=covered)
        new = schedules.growth().new
        yield GaugeMetricFamily("recsite_new_interactions", "Interactions since the last training.", value=new)
        try:
            yield from task_metrics.collect()
        except redis.RedisError:
            return
