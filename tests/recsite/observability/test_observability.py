"""Logs, metrics and readiness of the site as it runs: real web processes and a real worker."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.test import Client, override_settings

from catalog.models import User
from recommender.models import TrainingRun
from recommender.runs import services
from recsite.observability import health
from tests import factories, processes


def ask(address: str, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_what_web_processes_count_is_told_by_each_of_them_and_logged_as_json(
    artifacts_dir: Path, user: User, tmp_path: Path
) -> None:
    factories.rating(user, factories.anime())
    run = factories.published_model({anime.pk: [1.0, 0.5] for anime in [factories.anime() for _ in range(3)]})
    client = Client()
    client.force_login(user)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    log = tmp_path / "web.log"
    with processes.web_server(log, LOG_FORMAT="json") as address:
        for _ in range(8):
            assert ask(address, "/api/v1/anime/?q=what+somebody+typed")[0] == 200
            assert ask(address, "/api/v1/recommendations/", Cookie=cookie)[0] == 200
        ask(address, "/accounts/password/reset/key/abc-secret123/")
        pages = {ask(address, "/metrics")[1] for _ in range(6)}
        assert ask(address, "/metrics", **{"X-Forwarded-For": "127.0.0.1"})[0] == 403
        ready = json.loads(ask(address, "/readyz")[1])
    assert ready == {"database": True, "cache": True, "migrations": True, "model": True}
    for page in pages:
        assert re.search(r'latency_seconds_by_view_method_count\{method="GET",view="[a-z:0-9]*anime-list"\} 8\.0', page)
        assert re.search(r'recsite_lists_total\{method="popularity",path="cold_start"\} 8\.0', page)
        assert f'recsite_model_age_seconds{{model="{run}"}}' in page
        assert 'recsite_queue_length{queue="training"}' in page
        assert 'recsite_training_runs{state="published"} 1.0' in page
        assert "recsite_accounts_covered 1.0" in page
        assert "recsite_cache_lookups_total" in page
    records = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    ended = [record for record in records if record.get("event") == "request_finished"]
    assert len({record["request_id"] for record in ended}) == len(ended) >= 16
    begun = [record for record in records if record.get("event") == "request_started"]
    assert {"GET /api/v1/anime/", "GET /accounts/password/reset/key/…/"} <= {record["request"] for record in begun}
    assert not re.search("secret123|somebody|127.0.0.1", " ".join(map(json.dumps, begun + ended)))


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_a_workers_records_carry_task_and_run_and_its_tasks_are_counted(
    artifacts_dir: Path, monkeypatch: pytest.MonkeyPatch, client: Client, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    run = services.launch_training(started_by=None, family="paper")  # there are no ratings
    log = tmp_path / "worker.log"
    with processes.celery_worker(log):
        processes.wait_until(lambda: TrainingRun.objects.filter(state="failed").exists(), log)
        counted = 'recsite_tasks_total{state="SUCCESS",task="recommender.tasks.train"} 1.0'
        processes.wait_until(lambda: counted in client.get("/metrics").content.decode(), log)
    records = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    failure = next(record for record in records if record["event"] == f"Training run {run} failed")
    assert (failure["run"], failure["level"], failure["logger"]) == (str(run), "error", "recommender.runs.pipeline")
    assert failure["task_id"]
    assert "Traceback" in failure["exception"]


@pytest.mark.django_db
def test_metrics_are_for_this_machine_or_for_who_has_the_token(client: Client) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.7").status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 403
    assert client.get("/metrics", HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 403
    assert client.post("/metrics").status_code == 405
    with override_settings(METRICS_TOKEN="träge"):
        assert client.get("/metrics").status_code == 403
        assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer wrong").status_code == 403
        assert client.get("/metrics", REMOTE_ADDR="10.0.0.7", HTTP_AUTHORIZATION="Bearer träge").status_code == 200


@pytest.mark.django_db
def test_readiness_names_what_is_missing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()["model"]) == (200, False)
    monkeypatch.setitem(health.CHECKS, "cache", lambda: False)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["cache"], response.json()["database"]) == (200, False, True)
    monkeypatch.setitem(health.CHECKS, "migrations", lambda: False)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["migrations"], response.json()["database"]) == (503, False, True)


@pytest.mark.django_db
def test_readiness_does_not_wait_for_a_store_that_hangs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setitem(health.CHECKS, "database", lambda: released.wait(60))
    monkeypatch.setattr(health, "TIMEOUT_S", 0.5)
    try:
        for _ in range(3):
            response = client.get("/readyz")
            assert (response.status_code, response.json()["database"]) == (503, False)
    finally:
        released.set()


@pytest.mark.process
def test_errors_are_reported_where_the_dsn_says_and_nowhere_without_one() -> None:
    script = (
        "import django; django.setup(); import sys\n"
        "print('sentry_sdk' in sys.modules and sys.modules['sentry_sdk'].get_client().dsn)"
    )
    for dsn in ("", "https://key@sentry.example.org/7"):
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "recsite.settings", "SENTRY_DSN": dsn}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == (dsn or "False"), done.stderr
