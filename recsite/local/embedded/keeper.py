"""Stops the embedded servers once no process uses them.

Run as a script by `recsite.local.embedded`, so that the servers go even when their last user was killed outright:
it waits for the exclusive lock on the users' lock file, which the kernel grants when the last shared holder
is gone, whatever way it went. It imports nothing of the project, to stay small while it waits.

One keeper runs for each directory: it holds the lock on the keeper's lock file while it lives, so that `ensure` sees
when it was killed and starts another, and a second keeper that was started at the same time ends at once.
"""

import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

STOP_TIMEOUT_S = 60


def server_processes(data: Path, program: str) -> "list[psutil.Process]":
    """The live processes of the server whose data directory is `data`, its main process first.

    Both servers work in their data directory, which tells them from others of the same name without trusting
    a pid file: after a crash or a reboot its number may be anybody's.
    """
    import psutil

    found = {}
    for process in psutil.process_iter(["name", "status"]):
        if process.info["name"] == program and process.info["status"] != psutil.STATUS_ZOMBIE:
            try:
                if process.cwd() == os.path.realpath(data):
                    found[process.pid] = process
            except psutil.Error:  # gone meanwhile, or another user's
                continue
    return sorted(found.values(), key=lambda process: _parent(process) in found)


def _parent(process: "psutil.Process") -> int | None:
    import psutil

    try:
        return process.ppid()
    except psutil.Error:
        return None


def main_process(data: Path, program: str) -> "psutil.Process | None":
    """The server itself; None when it is dead, even if processes that it had started still are to end."""
    import psutil

    for process in server_processes(data, program):
        try:
            title = " ".join(process.cmdline())
        except psutil.Error:
            continue
        # What PostgreSQL and Valkey start names itself after its work: "postgres: checkpointer", "valkey-aof-rewrite".
        if title and not title.startswith(("postgres:", "valkey-aof", "valkey-rdb")):
            return process
    return None


def work_done(data: Path, program: str) -> float:
    """A number that grows while the server's processes compute, read or write."""
    import psutil

    total = 0.0
    for process in server_processes(data, program):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
            if hasattr(process, "io_counters"):  # macOS has none
                counters = process.io_counters()
                total += counters.read_bytes + counters.write_bytes
    return total


def stop(data: Path, program: str, stop_signal: signal.Signals, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Stop one server and wait until all its processes are gone; kill what does not go in time."""
    import psutil

    processes = server_processes(data, program)
    if not processes:
        return
    with suppress(psutil.NoSuchProcess):
        processes[0].send_signal(stop_signal)
    alive = wait_gone(processes, timeout_s)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_gone(alive, 5)


def wait_gone(processes: "list[psutil.Process]", timeout_s: float) -> "list[psutil.Process]":
    """Wait until the processes have ended, and return those that have not.

    `psutil.wait_procs` also waits until they are reaped, which the first process of a container may never do.
    """
    import psutil

    deadline = time.monotonic() + timeout_s
    while alive := [p for p in processes if p.is_running() and _status(p) not in (psutil.STATUS_ZOMBIE, None)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return alive


def _status(process: "psutil.Process") -> str | None:
    import psutil

    try:
        return process.status()
    except psutil.Error:
        return None


def stop_all(var: Path) -> None:
    """Stop both servers below `var`. SIGINT is PostgreSQL's fast shutdown: it rolls back what is open."""
    stop(var / "valkey" / "data", "valkey-server", signal.SIGTERM)
    stop(var / "postgres" / "data", "postgres", signal.SIGINT)


def main(var: Path, users_file: str, keeper_file: str) -> None:
    """Wait until nobody uses the servers below `var`, and stop them; do nothing where another keeper does."""
    with open(users_file) as users, open(keeper_file, "a") as only_one:
        try:
            fcntl.flock(only_one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        fcntl.flock(users, fcntl.LOCK_EX)
        stop_all(var)
        # Given up before the users' lock is: whoever waits for that one starts servers next and needs a keeper.
        fcntl.flock(only_one, fcntl.LOCK_UN)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
