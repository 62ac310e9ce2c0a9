"""Programs of staff have data sets loaded: by name, by one worker at a time, all or nothing."""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from catalog import tasks
from catalog.datasets import jobs
from catalog.datasets.models import ImportJob
from catalog.models import Anime, Member
from common import valkey
from tests import factories
from tests.catalog.datasets.test_load_dataset import ANIME, RATINGS

IMPORTS = "/api/v1/staff/imports/"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    """Where data sets lie: one that is whole, and one with a bad line."""
    settings.DATASETS_DIR = tmp_path / "datasets"
    for name, ratings in (("whole", RATINGS), ("bad", RATINGS + "9,1,eleven\n")):
        (tmp_path / "datasets" / name).mkdir(parents=True)
        (tmp_path / "datasets" / name / "anime.csv").write_text(ANIME)
        (tmp_path / "datasets" / name / "rating.csv").write_text(ratings)
    (tmp_path / "secret").mkdir()
    return tmp_path / "datasets"


@pytest.fixture
def boss(db: None) -> Client:
    client = Client()
    client.force_login(factories.staff())
    return client


def ask(client: Client, source: str, **fields: Any) -> Any:
    return client.post(IMPORTS, {"source": source, **fields}, content_type="application/json")


def test_a_data_set_is_loaded_and_the_same_files_change_nothing(
    boss: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    waiting = valkey.client().llen("evaluation")
    with django_capture_on_commit_callbacks(execute=True):
        asked = ask(boss, "whole", name="small").json()
    assert (asked["state"], asked["report"]) == ("queued", None)
    assert valkey.client().llen("evaluation") == waiting + 1
    tasks.import_dataset(asked["id"])
    done = boss.get(f"{IMPORTS}{asked['id']}/").json()
    assert (done["state"], done["error"]) == ("done", "")
    assert {name: done["report"][name] for name in ("anime", "members", "ratings")} == {
        "anime": 4, "members": 2, "ratings": 3,
    }  # fmt: skip
    assert Member.objects.filter(dataset__name="small").count() == 2
    again = ask(boss, "whole", name="small").json()["id"]
    for _ in range(2):  # a message may come twice
        tasks.import_dataset(again)
    repeated = boss.get(f"{IMPORTS}{again}/").json()
    assert (repeated["state"], repeated["report"]) == ("done", None)
    assert [row["id"] for row in boss.get(IMPORTS).json()["results"]] == [again, asked["id"]]


def test_a_bad_line_loads_nothing_and_is_named(boss: Client) -> None:
    job = ask(boss, "bad").json()["id"]
    tasks.import_dataset(job)
    failed = boss.get(f"{IMPORTS}{job}/").json()
    assert failed["state"] == "failed"
    assert failed["error"].startswith("rating.csv, line 6, column rating: ")
    assert failed["finished_at"]
    assert not Anime.objects.exists()


@pytest.mark.parametrize("source", ["nothing", "../secret", "/etc", "whole/", "."])
def test_only_what_lies_in_the_folder_can_be_named(boss: Client, source: str) -> None:
    refused = ask(boss, source)
    assert refused.status_code == 400
    (fault,) = refused.json()["errors"]
    assert fault["pointer"] == "#/source"
    assert fault["detail"].endswith("There are: bad, whole, demo, kaggle.")
    assert not ImportJob.objects.exists()


def test_without_a_folder_there_is_what_needs_no_file(boss: Client, settings: Settings, tmp_path: Path) -> None:
    settings.DATASETS_DIR = tmp_path / "none"
    assert jobs.available() == ["demo", "kaggle"]


@pytest.mark.django_db(transaction=True)
def test_an_import_is_found_again_when_its_worker_dies_and_not_before() -> None:
    long_ago = timezone.now() - 2 * jobs.GRACE
    job = ImportJob.objects.create(source="whole", name="small", state="running", started_at=long_ago)
    fresh = ImportJob.objects.create(source="whole", name="small")
    ImportJob.objects.filter(pk=job.pk).update(created_at=long_ago)
    holds, dies = threading.Event(), threading.Event()

    def worker() -> None:
        with transaction.atomic():
            ImportJob.objects.select_for_update().get(pk=job.pk)
            holds.set()
            dies.wait(30)
            transaction.set_rollback(True)
        connection.close()

    thread = threading.Thread(target=worker)
    thread.start()
    try:
        assert holds.wait(30)
        assert jobs.interrupted() == []
        jobs.execute(job.pk)  # the same message at another worker
        assert not Anime.objects.exists()
    finally:
        dies.set()
        thread.join()
    assert jobs.interrupted() == [job.pk]
    waiting = valkey.client().llen("evaluation")
    tasks.resume_interrupted_imports()
    assert valkey.client().llen("evaluation") == waiting + 1
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert (job.state, Anime.objects.count()) == ("done", 4)
    assert ImportJob.objects.get(pk=fresh.pk).state == "queued"
