"""A call with an `Idempotency-Key` is done once, whatever dies between the work and the answer."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from catalog import services, tasks
from catalog.datasets import jobs
from catalog.datasets.models import ImportJob
from catalog.models import Rating, User
from common.api import idempotency
from common.models import IdempotentAnswer
from common.tasks import forget_old_answers
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

IMPORTS, RATINGS = "/api/v1/staff/imports/", "/api/v1/me/ratings/"


@pytest.fixture
def boss(settings: Settings, tmp_path: Path) -> User:
    settings.DATASETS_DIR = tmp_path
    return factories.staff()


def post(user: User, path: str, body: dict[str, Any], key: str = "a") -> Any:
    """A client of its own for each call, which answers 500 where the site failed."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client.post(path, body, content_type="application/json", headers={"Idempotency-Key": key})


def test_a_repeat_after_a_fault_that_came_after_the_commit_is_answered_with_the_first_result(
    boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(job_id: int) -> None:
        raise RuntimeError

    monkeypatch.setattr(tasks, "send_import", breaks)
    assert post(boss, IMPORTS, {"source": "demo"}).status_code == 500
    repeated = post(boss, IMPORTS, {"source": "demo"})
    assert repeated.status_code == 201
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert [job.pk for job in ImportJob.objects.all()] == [repeated.json()["id"]]


def test_a_fault_before_the_commit_takes_the_work_back_and_the_repeat_does_it(
    boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_import = jobs.request_import

    def fails_at_the_end(**asked: Any) -> None:
        request_import(**asked)
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "request_import", fails_at_the_end)
        assert post(boss, IMPORTS, {"source": "demo"}).status_code == 500
    assert not ImportJob.objects.exists()
    monkeypatch.setattr(tasks.import_dataset, "delay", lambda job_id: None)
    done = post(boss, IMPORTS, {"source": "demo"})
    assert "Idempotency-Replayed" not in done.headers
    assert ImportJob.objects.count() == 1


def test_a_repeat_that_comes_before_the_answer_gets_409(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"anime_id": factories.anime().pk, "score": 8}
    answers: list[int] = []
    rate = services.rate

    def repeat() -> None:
        answers.append(post(user, RATINGS, body).status_code)
        connection.close()

    def while_it_runs(**values: Any) -> Rating:
        thread = threading.Thread(target=repeat)
        thread.start()
        thread.join()
        return rate(**values)

    monkeypatch.setattr(services, "rate", while_it_runs)
    assert post(user, RATINGS, body).status_code == 201
    assert answers == [409]


def test_many_at_once_do_it_once(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.import_dataset, "delay", lambda job_id: None)
    answers: list[Any] = []
    start = threading.Barrier(6)

    def call() -> None:
        start.wait()
        answers.append(post(boss, IMPORTS, {"source": "demo"}))
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} == {ImportJob.objects.get().pk}


def test_a_key_is_of_one_method_address_and_account(user: User) -> None:
    anime = factories.anime()
    assert post(user, RATINGS, {"anime_id": anime.pk, "score": 8}).status_code == 201
    assert post(user, "/api/v1/me/list/", {"anime_id": anime.pk, "status": "watching"}).status_code == 201
    assert post(factories.user(), RATINGS, {"anime_id": anime.pk, "score": 3}).status_code == 201
    assert IdempotentAnswer.objects.count() == 3


def test_after_a_day_a_call_is_done_anew_and_old_answers_go(user: User) -> None:
    body = {"anime_id": factories.anime().pk, "score": 8}
    post(user, RATINGS, body)
    post(user, RATINGS, body, key="b")
    IdempotentAnswer.objects.update(created_at=timezone.now() - idempotency.KEPT_FOR - timedelta(seconds=1))
    again = post(user, RATINGS, {**body, "score": 3})
    assert (again.status_code, again.json()["score"]) == (201, 3)
    forget_old_answers()
    assert IdempotentAnswer.objects.count() == 1
    assert post(user, RATINGS, {**body, "score": 3}).headers["Idempotency-Replayed"] == "true"


def test_answers_go_with_their_account(user: User) -> None:
    post(user, RATINGS, {"anime_id": factories.anime().pk, "score": 8})
    services.delete_account(user=user)
    assert not IdempotentAnswer.objects.exists()
