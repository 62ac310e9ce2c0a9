"""Real worker processes for tests that need one."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection

BASE_DIR = Path(__file__).resolve().parent.parent
DEADLINE_S = 240


def environment() -> dict[str, str]:
    """The environment in which another process uses this test's database, Valkey database and artifact store."""
    database = connection.settings_dict
    where = urlencode({"host": database["HOST"] or database.get("OPTIONS", {}).get("host", ""), "port": 5432})
    return {
        **os.environ,
        "DATABASE_URL": f"postgres://{database['USER']}@/{database['NAME']}?{where}",
        "ARTIFACTS_DIR": str(settings.ARTIFACTS_DIR),
        "LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def celery_worker(
    log: Path, name: str = "all", *, queues: str = "training,evaluation,default", pool: Sequence[str] = ("-c", "1")
) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker, by default for trainings, in a process group of its own; killed at the end if it still lives."""
    with log.open("ab") as output:
        worker = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "recsite",
                "worker",
                "-n",
                f"{name}@%h",
                "-Q",
                queues,
                *pool,
                "-l",
                "INFO",
            ],
            cwd=BASE_DIR,
            env=environment(),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield worker
    finally:
        kill(worker)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children as the kernel's out-of-memory killer would."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition: Callable[[], object], log: Path | None = None, deadline_s: float = DEADLINE_S) -> None:
    """Return as soon as the condition holds; fail with the end of the process's log when it never does."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            tail = log.read_text(errors="replace")[-3000:] if log else ""
            raise AssertionError(f"still waiting after {deadline_s} s\n{tail}")
        time.sleep(0.05)  # a poll of another process's work, with a deadline


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def web_server(
    log: Path,
    *options: str,
    application: str = "recsite.wsgi",
    program: Sequence[str] = ("-m", "gunicorn"),
    **variables: str,
) -> Iterator[str]:
    """The site as it is served, two processes on this test's database; yields its address once it answers.

    `options` are gunicorn's own, and `program` is what starts it in Python.
    """
    address = f"127.0.0.1:{free_port()}"
    variables = {"PORT": address.split(":")[1], "HOST": "127.0.0.1", "WEB_CONCURRENCY": "2", **variables}
    with log.open("ab") as output:
        server = subprocess.Popen(
            [sys.executable, *program, "--config", "python:recsite.gunicorn_config", *options, application],
            cwd=BASE_DIR,
            env={**environment(), **variables},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def answers() -> bool:
        client = http.client.HTTPConnection(address, timeout=5)
        try:
            client.request("GET", "/healthz")
            return client.getresponse().status == 200
        except OSError:
            return False
        finally:
            client.close()

    try:
        wait_until(answers, log)
        yield address
    finally:
        kill(server)
