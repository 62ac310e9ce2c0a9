"""Runs the site's processes in the foreground: starts them, restarts what dies, and ends them all."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import psutil

from recsite.local import embedded, watcher
from recsite.local.embedded import keeper

STOP_GRACE_S = 15
MAX_BACKOFF_S = 30
# A process that lived this long did start; when it dies, the backoff begins anew.
STABLE_S = 60
MAX_LOG_BYTES = 10 * 2**20


class Child:
    """One supervised process, in a session of its own so that Ctrl-C reaches it only through the supervisor."""

    def __init__(self, name: str, command: Sequence[str], log: Path, *, echo: bool):
        self.name = name
        self.command = command
        self.log = log
        self.echo = echo
        self.failures = 0
        self.due = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._shown = log.stat().st_size if log.exists() else 0

    def start(self) -> int:
        """Start it, with a program of this virtual environment, and return its process group."""
        with embedded.append_private(self.log) as log:
            self.process = subprocess.Popen(  # noqa: S603
                [str(Path(sys.prefix) / "bin" / self.command[0]), *self.command[1:]],
                cwd=embedded.BASE_DIR,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started = time.monotonic()
        return self.process.pid

    def schedule_restart(self) -> float:
        """Note when to start it again, and return the seconds until then."""
        now = time.monotonic()
        self.failures = 0 if now - self._started > STABLE_S else self.failures
        delay = min(2.0**self.failures, MAX_BACKOFF_S)
        self.failures += 1
        self.process, self.due = None, now + delay
        return delay

    def new_output(self) -> str:
        """What it wrote to its log since the last call."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._shown)
            text = log.read()
        self._shown += len(text)
        return text.decode(errors="replace")


class Supervisor:
    """Keeps the processes that it was told to start running until it is closed."""

    def __init__(self, log_dir: Path, say: Callable[[str], None]) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self._log_dir = log_dir
        self._say = say
        self._children: list[Child] = []
        self._impatient = False
        self._watcher = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", watcher.__file__], stdin=subprocess.PIPE, start_new_session=True, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, name: str, command: Sequence[str], *, echo: bool = False) -> Child:
        """Start a process that logs to `NAME.log`; with `echo`, its output is shown too."""
        log = self._log_dir / f"{name}.log"
        if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        child = Child(name, command, log, echo=echo)
        self._children.append(child)
        self._tell_watcher(f"+{child.start()}")
        return child

    def check(self) -> None:
        """Show new output, notice what died, and start it again when its time has come. Call it often."""
        for child in self._children:
            if child.echo and (text := child.new_output()):
                self._say(text.rstrip("\n"))
            if child.process is None:
                if time.monotonic() >= child.due:
                    self._tell_watcher(f"+{child.start()}")
            elif (code := child.process.poll()) is not None:
                self._end_group(child.process.pid)
                delay = child.schedule_restart()
                self._say(f"{child.name} stopped ({_meaning(code)}) and starts again in {delay:.0f} s; see {child.log}")

    def close(self) -> None:
        """End all processes, politely at first; a further Ctrl-C kills them. Returns when all are gone."""
        handlers = {number: signal.signal(number, self._hurry) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            mains = [child.process for child in self._children if child.process is not None]
            everything = [process for main in mains for process in _family(main.pid)]
            for main in mains:
                main.terminate()
            self._wait(everything, STOP_GRACE_S)
            for main in mains:
                self._end_group(main.pid)
            for process in everything:
                if process.is_running():  # it had left the group; psutil knows a reused number from this one
                    process.kill()
            self._wait(everything, 5)
            for main in mains:
                main.wait()
            for child in self._children:
                if child.echo and (text := child.new_output()):
                    self._say(text.rstrip("\n"))
            self._children.clear()
            if self._watcher.stdin:
                self._watcher.stdin.close()
            self._watcher.wait()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _wait(self, processes: list[psutil.Process], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while keeper.wait_gone(processes, 0.1):
            if self._impatient or time.monotonic() > deadline:
                return

    def _hurry(self, number: int, frame: FrameType | None) -> None:
        self._impatient = True

    def _end_group(self, group: int) -> None:
        watcher.send(group, signal.SIGKILL)
        self._tell_watcher(f"-{group}")

    def _tell_watcher(self, line: str) -> None:
        assert self._watcher.stdin is not None
        self._watcher.stdin.write(f"{line}\n")
        self._watcher.stdin.flush()


def _family(pid: int) -> list[psutil.Process]:
    try:
        main = psutil.Process(pid)
        return [main, *main.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _meaning(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name
