"""A load that would empty a data set, or leave much less of it, is refused and changes nothing."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from catalog import tasks
from catalog.datasets.models import ImportJob
from catalog.models import Dataset, Member
from tests import factories
from tests.catalog.datasets.test_load_dataset import ANIME, load, refused, rows_of, state

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "user_id,anime_id,rating\n"
SHARED = Path(__file__).resolve().parent.parent.parent.parent.parent / "shared" / "cases" / "datasets"


def ratings(members: int, of_each: int = 4) -> str:
    return HEADER + "".join(f"{user},{anime},7\n" for user in range(1, members + 1) for anime in range(1, of_each + 1))


def write(folder: Path, rating_csv: str, anime_csv: str = ANIME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "anime.csv").write_text(anime_csv)
    (folder / "rating.csv").write_text(rating_csv)
    return folder


@pytest.fixture
def loaded(tmp_path: Path) -> Path:
    """A loaded data set of ten members and forty interactions."""
    load(folder := write(tmp_path / "good", ratings(10)))
    return folder


EMPTYING = {
    "cut off after the header": (HEADER, ANIME, "No member would be left: rating.csv has no line after its header."),
    "ids nobody knows": (
        HEADER + "1,901,5\n2,902,5\n",
        ANIME,
        "all 2 interactions in rating.csv are with anime that anime.csv does not have. Take both files from the same",
    ),
    "no anime": (ratings(10), ANIME.splitlines()[0] + "\n", "anime.csv has no line after its header."),
}


@pytest.mark.parametrize("case", EMPTYING)
@pytest.mark.parametrize("options", [(), ("--replace",), ("--force", "--replace"), ("--name", "another")])
def test_a_load_that_would_leave_nothing_is_always_refused(
    loaded: Path, tmp_path: Path, case: str, options: tuple[str, ...]
) -> None:
    rating_csv, anime_csv, reason = EMPTYING[case]
    message = refused(write(tmp_path / "bad", rating_csv, anime_csv), *options)
    assert reason in message
    assert message.endswith("Nothing was changed.")


@pytest.mark.parametrize("name", ["anime.csv", "rating.csv"])
def test_a_file_of_which_every_line_is_bad_is_refused_also_when_bad_lines_are_skipped(
    loaded: Path, tmp_path: Path, name: str
) -> None:
    (loaded / name).write_text((loaded / name).read_text().splitlines()[0] + "\nx\ny\nz\n")
    message = refused(loaded, "--skip-bad", tmp_path / "bad.csv")
    assert f"{name} has no good line (3 are bad)" in message
    assert [row["file"] for row in rows_of(tmp_path / "bad.csv")] == [name] * 3


def test_much_less_than_was_loaded_needs_a_word(loaded: Path) -> None:
    write(loaded, ratings(7))
    message = refused(loaded)
    assert "had 10 members, would have 7 (70 %)" in message
    assert "had 40 interactions, would have 28 (70 %)" in message
    assert "--replace" in message
    load(loaded, "--replace")
    assert Member.objects.count() == 7


def test_members_may_all_stay_and_lose_most_of_what_they_said(loaded: Path) -> None:
    write(loaded, ratings(10, of_each=3))
    message = refused(loaded)
    assert "had 40 interactions, would have 30 (75 %)" in message
    assert "members" not in message


def test_a_little_less_than_was_loaded_is_loaded(loaded: Path) -> None:
    load(write(loaded, ratings(8)))
    dataset = Dataset.objects.get()
    assert (dataset.member_count, dataset.interaction_count) == (8, 32)


def test_a_first_load_is_never_refused_for_its_share(loaded: Path, tmp_path: Path) -> None:
    load(write(tmp_path / "small", ratings(1)), "--name", "small")
    assert Dataset.objects.get(name="small").member_count == 1


def test_a_refused_load_leaves_what_is_simulated(tmp_path: Path) -> None:
    """Real data takes the place of simulated raters, and a refused load does not."""
    simulated = Dataset.objects.create(name="demo", is_simulated=True, member_count=1)
    factories.member({factories.anime().pk: 5}, dataset=simulated)
    refused(write(tmp_path / "bad", HEADER))
    assert simulated.members.count() == 1


def test_two_data_sets_in_one_zip_are_refused_with_their_folders(loaded: Path, tmp_path: Path) -> None:
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for folder in ("old", "new"):
            file.writestr(f"{folder}/anime.csv", ANIME)
            file.writestr(f"{folder}/rating.csv", ratings(9))
    message = refused(archive)
    assert "has anime.csv in more than one folder: new and old." in message


@pytest.mark.parametrize("stray", ["backup/rating.csv", "a/anime.csv", "z/metadata.csv"])
def test_a_file_of_another_folder_is_not_mixed_into_a_data_set(tmp_path: Path, stray: str) -> None:
    archive = tmp_path / "one.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(stray, "of,something,else\n")
        file.writestr("data/anime.csv", ANIME)
        file.writestr("data/rating.csv", ratings(2))
    load(archive)
    assert Member.objects.count() == 2


class TestByAWorker:
    """The same through `staff/imports/`."""

    @pytest.fixture
    def boss(self, settings: Settings, tmp_path: Path) -> Client:
        settings.DATASETS_DIR = tmp_path
        client = Client()
        client.force_login(factories.staff())
        return client

    def run(self, boss: Client, monkeypatch: pytest.MonkeyPatch, **asked: Any) -> dict[str, Any]:
        monkeypatch.setattr(tasks.import_dataset, "delay", lambda job_id: None)
        path = "/api/v1/staff/imports/"
        body = {"name": "anime-recommendations-database", **asked}
        job = boss.post(path, body, content_type="application/json").json()["id"]
        tasks.import_dataset(job)
        done: dict[str, Any] = boss.get(f"{path}{job}/").json()
        return done

    @pytest.mark.parametrize("case", EMPTYING)
    def test_a_load_that_would_leave_nothing_fails(
        self, loaded: Path, tmp_path: Path, boss: Client, monkeypatch: pytest.MonkeyPatch, case: str
    ) -> None:
        rating_csv, anime_csv, reason = EMPTYING[case]
        write(tmp_path / "bad", rating_csv, anime_csv)
        before = state()
        job = self.run(boss, monkeypatch, source="bad", replace=True)
        assert (job["state"], job["report"]) == ("failed", None)
        assert reason in job["error"]
        assert state() == before

    def test_much_less_than_was_loaded_needs_a_word(
        self, loaded: Path, boss: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(loaded, ratings(7))
        before = state()
        job = self.run(boss, monkeypatch, source="good")
        assert (job["state"], job["replace"]) == ("failed", False)
        assert "had 10 members, would have 7 (70 %)" in job["error"]
        assert '"replace": true' in job["error"]
        assert state() == before
        job = self.run(boss, monkeypatch, source="good", replace=True)
        assert (job["state"], job["replace"], job["report"]["members"]) == ("done", True, 7)
        assert ImportJob.objects.filter(replace=True).count() == 1


@pytest.mark.parametrize("case", ["header-only", "all-lines-bad"])
def test_cases_from_the_field(tmp_path: Path, case: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/cases/datasets")
    load(SHARED / "good", "--name", "good")
    message = refused(SHARED / case, "--name", "good", "--skip-bad", tmp_path / "bad.csv")
    assert "would be l" in message
    assert Member.objects.count() == 3
