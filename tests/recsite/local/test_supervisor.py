"""The supervisor with real processes: restarts, shows output, and leaves nothing running, even when killed itself."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from recsite.local import embedded
from recsite.local.embedded import keeper
from recsite.local.supervisor import Supervisor

pytestmark = pytest.mark.process

# A process with a child of its own, which stops for nothing but SIGKILL; it says who they are.
STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
print("child", child.pid, flush=True)
signal.pause()
"""
OBEDIENT = "import signal; print('started', flush=True); signal.pause()"


def until(condition: Callable[[], object], supervisor: Supervisor | None = None) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        if supervisor:
            supervisor.check()
        time.sleep(0.02)


def text_of(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def test_process_that_dies_is_said_to_and_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    with Supervisor(tmp_path, said.append) as supervisor:
        child = supervisor.start("job", ["python", "-c", OBEDIENT])
        until(lambda: "started" in text_of(child.log), supervisor)
        assert child.process
        first = child.process
        first.kill()
        until(lambda: text_of(child.log).count("started") == 2, supervisor)
        assert child.process.pid != first.pid
    assert said == [f"job stopped (SIGKILL) and starts again in 1 s; see {tmp_path / 'job.log'}"]


def test_restarts_of_what_dies_at_once_get_rarer(tmp_path: Path) -> None:
    said: list[str] = []
    with Supervisor(tmp_path, said.append) as supervisor:
        supervisor.start("job", ["python", "-c", "raise SystemExit(3)"])
        until(lambda: len(said) == 2, supervisor)
    assert ["(exit status 3)" in line for line in said] == [True, True]
    assert [line.split(" in ")[1].split(";")[0] for line in said] == ["1 s", "2 s"]


def test_output_is_shown_where_asked_for_and_logged_always(tmp_path: Path) -> None:
    said: list[str] = []
    with Supervisor(tmp_path, said.append) as supervisor:
        supervisor.start("web", ["python", "-c", f"print('a letter [bold]'); {OBEDIENT}"], echo=True)
        quiet = supervisor.start("worker", ["python", "-c", OBEDIENT])
        until(lambda: "started" in "".join(said) and "started" in text_of(quiet.log), supervisor)
    assert "a letter [bold]" in "\n".join(said)
    assert "".join(said).count("started") == 1
    assert "started" in (tmp_path / "web.log").read_text()


def test_closing_ends_even_grandchildren_that_ignore_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsite.local.supervisor.STOP_GRACE_S", 0.5)
    with Supervisor(tmp_path, print) as supervisor:
        child = supervisor.start("job", ["python", "-c", STUBBORN])
        until(lambda: "child" in text_of(child.log))
        assert child.process
        family = [psutil.Process(child.process.pid), psutil.Process(int(text_of(child.log).split()[1]))]
    assert keeper.wait_gone(family, 0) == []


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import signal, sys; from pathlib import Path; from recsite.local.supervisor import Supervisor\n"
        "supervisor = Supervisor(Path(sys.argv[1]), print)\n"
        f"supervisor.start('job', ['python', '-c', {OBEDIENT!r}])\n"
        "print('up', flush=True); signal.pause()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True, cwd=embedded.BASE_DIR
    )
    assert parent.stdout
    assert parent.stdout.readline() == "up\n"
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert keeper.wait_gone(family, 30) == []
