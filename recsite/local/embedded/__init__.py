"""PostgreSQL and Valkey from wheels, used where `DATABASE_URL` or `REDIS_URL` is unset.

Both keep their data below `VAR_DIR` and are shared by all processes of the site. Each process that calls
`ensure` holds a shared lock on one file until it ends, however it ends; the kernel does the counting, so
that a killed process leaves no stale entry. Who leaves last stops the servers; if it was killed, the keeper.
"""

import atexit
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from recsite.local.embedded import keeper, servers
from recsite.local.embedded.files import BASE_DIR, EmbeddedServiceError, append_private, explained, own_dir, var_dir

__all__ = [
    "BASE_DIR",
    "EmbeddedServiceError",
    "append_private",
    "database_url",
    "ensure",
    "explained",
    "own_dir",
    "redis_url",
    "release",
    "var_dir",
]

VARIABLES = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}

# The locks that this process holds: file descriptor and owner, because a forked child inherits both.
_held: dict[Path, tuple[int, int]] = {}


def database_url() -> str:
    """The embedded PostgreSQL's address, whether it runs or not."""
    server = servers.Postgres(var_dir() / "postgres")
    where = urlencode({"host": str(server.socket_dir), "port": 5432})
    return f"postgres://{server.user}@/{server.database}?{where}"


def redis_url() -> str:
    """The embedded Valkey's address, whether it runs or not."""
    return f"unix://{quote(str(servers.Valkey(var_dir() / 'valkey').socket_path))}"


def ensure(services: Collection[str] = ("postgres", "valkey"), *, durable: bool = True, wait: bool = True) -> list[str]:
    """Have the embedded ones of `services` running until this process ends. Safe to repeat, from any process.

    A service whose variable is set is somebody else's server, and is left alone. Only a server that is dead, or that
    has hung for a minute, is started; one that recovers from a crash or loads its data is waited for, or with `wait`
    off left to itself. With `durable` off, a server that is started here is fast and may lose its data in a crash,
    which is right for tests.
    Returns the names of those that had to be started. Raises `EmbeddedServiceError`.
    """
    wanted = [name for name in VARIABLES if name in services and not os.environ.get(VARIABLES[name])]
    if not wanted:
        return []
    var = var_dir()
    kinds = {"postgres": servers.Postgres, "valkey": servers.Valkey}
    all_servers = [kinds[name](var / name, durable=durable) for name in wanted]
    started = []
    with explained(var):
        own_dir(var)
        while True:
            started += _start_dead(var, all_servers)
            waited_for = [server for server in all_servers if wait and server.ask() is not servers.State.READY]
            if not waited_for:
                return started
            # Outside of the lock, so that other processes may come and go meanwhile.
            for server in waited_for:
                server.check_progress()
            time.sleep(0.1)


def _start_dead(var: Path, all_servers: Sequence[servers.Server]) -> list[str]:
    """Start those that are dead, and return their names."""
    with _starting(var):
        _hold(var)
        servers.reap()
        dead = [server for server in all_servers if server.must_be_started()]
        _start_keeper(var)
        for server in dead:
            server.start()
    return [server.title for server in dead]


def release() -> None:
    """Give up this process's share in the servers, and stop them when nobody else has one."""
    _release(var_dir())


def _release(var: Path) -> None:
    descriptor, owner = _held.pop(var, (-1, 0))
    # A forked child's share is its parent's; where the directory is gone, the keeper stops the servers.
    if owner != os.getpid() or not var.exists():
        return
    with _starting(var):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            keeper.stop_all(var)
        except BlockingIOError:
            # Others use the servers; or the keeper was quicker and is stopping them, which is waited for.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        os.close(descriptor)


def _hold(var: Path) -> None:
    if _held.get(var, (-1, 0))[1] == os.getpid():
        return
    descriptor = os.open(_users(var), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _held[var] = descriptor, os.getpid()
    atexit.register(_release, var)


@contextmanager
def _starting(var: Path) -> Iterator[None]:
    """One process at a time starts or stops the servers."""
    with open(var / "embedded.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start_keeper(var: Path) -> None:
    """Start the keeper where none lives: at first, or because it was killed."""
    with open(var / "embedded.keeper", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", keeper.__file__, str(var), str(_users(var)), lock.name],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    servers.adopt(process)


def _users(var: Path) -> Path:
    return var / "embedded.users"
