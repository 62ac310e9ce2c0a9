"""The command line's defaults for a machine of one's own."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from recsite.local import command_line, embedded


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "INSECURE_HTTP", "DATABASE_URL", "REDIS_URL", "DEBUG"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    return tmp_path / "var"


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        cwd=embedded.BASE_DIR,
        timeout=120,
    )


def test_secret_is_made_once_and_is_its_owners_alone(var: Path) -> None:
    command_line.set_defaults()
    secret = os.environ.pop("SECRET_KEY")
    assert len(secret) > 80
    command_line.set_defaults()
    assert os.environ["SECRET_KEY"] == secret
    assert stat.S_IMODE((var / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in var.iterdir()] == ["secret_key"]


def test_what_is_set_stays(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "mine")
    monkeypatch.setenv("ALLOWED_HOSTS", "box.local")
    command_line.set_defaults()
    assert (os.environ["SECRET_KEY"], os.environ["ALLOWED_HOSTS"]) == ("mine", "box.local")
    assert not var.exists()


@pytest.mark.process
def test_command_that_needs_the_database_finds_it_running_and_leaves_nothing_behind(var: Path) -> None:
    script = "from django.db import connection; print(connection.cursor().execute('SELECT 41 + 1').fetchone())"
    done = manage("shell", "--no-imports", "--command", script)
    assert done.stdout == "(42,)\n", done.stderr
    for name, program in (("postgres", "postgres"), ("valkey", "valkey-server")):
        assert embedded.keeper.server_processes(var / name / "data", program) == []


@pytest.mark.process
def test_command_that_needs_no_database_starts_none(var: Path) -> None:
    done = manage("diffsettings")
    assert done.returncode == 0, done.stderr
    assert not (var / "postgres").exists()


@pytest.mark.process
def test_beside_a_database_of_its_own_a_site_needs_a_secret_of_its_own(var: Path) -> None:
    done = manage("migrate", DATABASE_URL="postgres://db.example.org/site")
    assert done.returncode == 1
    assert done.stderr.startswith("error: SECRET_KEY is not set")
    assert not (var / "secret_key").exists()


@pytest.mark.process
def test_trouble_with_the_servers_is_one_line(var: Path) -> None:
    done = manage("migrate", VAR_DIR="/sys/recsite", SECRET_KEY="x")
    assert done.returncode == 1
    assert done.stderr.startswith("error: /sys/recsite is not writable")
    assert done.stderr.count("\n") == 1
