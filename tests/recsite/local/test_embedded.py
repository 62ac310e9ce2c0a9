"""The embedded servers, with real processes that share them, leave them, crash and are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from recsite.local import embedded
from recsite.local.embedded import files, keeper, servers

pytestmark = pytest.mark.process

# Starts the servers, says so, and leaves when its standard input closes.
USER = """
import sys
from recsite.local import embedded
try:
    embedded.ensure(durable="durable" in sys.argv)
except embedded.EmbeddedServiceError as error:
    sys.exit(str(error))
print("ready", flush=True)
sys.stdin.read()
"""

StartUser = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of one pair of servers; each test leaves them stopped."""
    return tmp_path_factory.mktemp("var")


@pytest.fixture
def var(instance: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use(instance, monkeypatch)
    return instance


def use(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point this process, and those that it starts, at the servers below `directory`."""
    monkeypatch.setenv("VAR_DIR", str(directory))
    for name in embedded.VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start_user(var: Path) -> Iterator[StartUser]:
    """Starts processes that use the servers; they are gone, and the servers with them, when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", USER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=embedded.BASE_DIR,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    keeper.stop_all(var)


def wait_ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "ready\n", process.communicate()[1]


def leave(process: "subprocess.Popen[str]") -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


def postgres_processes() -> list[psutil.Process]:
    return keeper.server_processes(embedded.var_dir() / "postgres" / "data", "postgres")


def valkey_processes() -> list[psutil.Process]:
    return keeper.server_processes(embedded.var_dir() / "valkey" / "data", "valkey-server")


def all_gone(processes: list[psutil.Process]) -> bool:
    return keeper.wait_gone(processes, 30) == []


def test_processes_share_one_pair_of_servers_and_the_last_stops_it(start_user: StartUser) -> None:
    first, second = start_user(), start_user()
    wait_ready(first)
    wait_ready(second)
    mains = [postgres_processes()[0], valkey_processes()[0]]
    leave(first)
    with psycopg.connect(embedded.database_url()) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("recsite",)
    with redis.Redis.from_url(embedded.redis_url()) as client:
        assert client.ping()
    assert [postgres_processes()[0], valkey_processes()[0]] == mains
    leave(second)
    assert postgres_processes() == valkey_processes() == []


def test_servers_go_when_their_last_user_is_killed(start_user: StartUser) -> None:
    user = start_user()
    wait_ready(user)
    running = postgres_processes() + valkey_processes()
    assert len(running) > 2
    user.kill()
    user.wait()
    assert all_gone(running)


def test_many_come_and_go_at_once(start_user: StartUser) -> None:
    for _ in range(2):
        users = [start_user() for _ in range(4)]
        for user in users:
            wait_ready(user)
        assert len(valkey_processes()) == 1
        for user in users:
            assert user.stdin is not None
            user.stdin.close()
        for user in users:
            assert user.wait(timeout=60) == 0
        assert postgres_processes() == valkey_processes() == []


def test_crashed_servers_are_restarted_by_the_next_process_and_keep_what_they_confirmed(
    start_user: StartUser,
) -> None:
    wait_ready(start_user("durable"))
    with psycopg.connect(embedded.database_url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
    with redis.Redis.from_url(embedded.redis_url()) as client:
        client.rpush("queue", "task")
    crashed = [postgres_processes()[0], valkey_processes()[0]]
    for process in crashed:
        process.kill()
    wait_ready(start_user("durable"))
    with psycopg.connect(embedded.database_url(), autocommit=True) as connection:
        assert connection.execute("SELECT a FROM kept").fetchone() == (1,)
        connection.execute("DROP TABLE kept")
    with redis.Redis.from_url(embedded.redis_url()) as client:
        assert client.lpop("queue") == b"task"


def test_forked_child_that_exits_leaves_the_servers_to_its_parent(var: Path) -> None:
    script = (
        "import os, subprocess, sys; from recsite.local import embedded; embedded.ensure(durable=False)\n"
        "pid = os.fork()\n"
        "if pid == 0: sys.exit()\n"
        "os.waitpid(pid, 0)\n"
        "import redis; print(redis.Redis.from_url(embedded.redis_url()).ping())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=embedded.BASE_DIR, timeout=60
    )
    assert done.stdout == "True\n", done.stderr
    assert postgres_processes() == valkey_processes() == []


def test_pid_file_with_the_number_of_another_process_does_not_stop_the_start(var: Path, start_user: StartUser) -> None:
    leave_first = start_user()
    wait_ready(leave_first)
    leave(leave_first)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, **servers.run_as()) as stranger:
        pid_file = var / "postgres" / "data" / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{pid_file.parent}\n1700000000\n5432\n{var / 'postgres'}\n\n0 0\nready\n")
        (var / "postgres" / ".s.PGSQL.5432.lock").write_text(pid_file.read_text())
        wait_ready(start_user())
        assert stranger.poll() is None
        stranger.kill()


def test_deeply_nested_directory_with_a_space_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a b" / ("d" * 100)
    use(deep, monkeypatch)
    try:
        embedded.ensure(durable=False)
        with psycopg.connect(embedded.database_url()) as connection:
            assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        with redis.Redis.from_url(embedded.redis_url()) as client:
            assert client.ping()
        sockets = {servers.Postgres(deep / "postgres").socket_dir, servers.Valkey(deep / "valkey").socket_dir}
        assert {directory.stat().st_mode & 0o777 for directory in sockets} == {0o700}
    finally:
        embedded.release()
    assert postgres_processes() == valkey_processes() == []
    for directory in sockets:
        directory.rmdir()


def test_servers_listen_on_no_port(start_user: StartUser) -> None:
    wait_ready(start_user())
    for process in postgres_processes() + valkey_processes():
        assert [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN] == []


def test_servers_see_none_of_our_environment(start_user: StartUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "must stay here")
    monkeypatch.setenv("PGPORT", "6543")
    wait_ready(start_user())
    for process in (postgres_processes()[0], valkey_processes()[0]):
        assert set(process.environ()) <= {"PATH", "LC_ALL", "TZ"}


def test_server_named_by_its_variable_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/site")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    embedded.ensure()
    assert list(tmp_path.iterdir()) == []


def test_data_of_another_postgresql_is_refused_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(tmp_path, monkeypatch)
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(embedded.EmbeddedServiceError, match=r"made by PostgreSQL 16, and this is 18: move"):
        embedded.ensure({"postgres"})
    embedded.release()
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_interrupted_first_start_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(tmp_path, monkeypatch)
    (tmp_path / "postgres" / "data.unfinished" / "base").mkdir(parents=True)
    embedded.ensure({"postgres"}, durable=False)
    embedded.release()
    assert (tmp_path / "postgres" / "data" / "PG_VERSION").read_text() == "18\n"


def test_directory_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    use(Path("/sys/recsite"), monkeypatch)  # refuses root too
    with pytest.raises(embedded.EmbeddedServiceError, match=r"^/sys/recsite is not writable .*set VAR_DIR"):
        embedded.ensure()


def test_full_disk_is_named_before_anything_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(tmp_path, monkeypatch)
    monkeypatch.setattr(files, "MIN_FREE_MB", 10**9)
    with pytest.raises(embedded.EmbeddedServiceError, match=r"^The disk of .* is full: free at least"):
        embedded.ensure()
    embedded.release()
    assert not (tmp_path / "postgres").exists()


def test_server_that_does_not_start_gives_its_own_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(tmp_path, monkeypatch)
    monkeypatch.setitem(servers.Postgres.settings, "shared_buffers", "a lot")
    with pytest.raises(embedded.EmbeddedServiceError, match=r"PostgreSQL did not start: .*shared_buffers"):
        embedded.ensure({"postgres"})
    embedded.release()


def test_socket_directory_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.symlink_to(tmp_path)
    with pytest.raises(embedded.EmbeddedServiceError, match=r"trap belongs to another user"):
        files.private_dir(trap)


def test_process_ended_by_a_signal_stops_the_servers(start_user: StartUser) -> None:
    user = start_user()
    wait_ready(user)
    running = postgres_processes() + valkey_processes()
    os.kill(user.pid, signal.SIGTERM)
    user.wait()
    assert all_gone(running)
