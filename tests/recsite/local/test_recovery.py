"""The embedded servers when they crash, recover, load, hang or are told to stop: only a dead one is started again."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from recsite.local import embedded
from recsite.local.embedded import keeper, servers
from recsite.local.embedded.servers import State
from tests.processes import wait_until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of two servers of our own, which outlive no test of this module."""
    directory = tmp_path_factory.mktemp("var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAR_DIR", str(directory))
        for name in embedded.VARIABLES.values():
            patch.delenv(name, raising=False)
        embedded.ensure()
        yield directory
        embedded.release()


@pytest.fixture
def postgres(var: Path) -> servers.Postgres:
    embedded.ensure()
    return servers.Postgres(var / "postgres")


@pytest.fixture
def valkey(var: Path) -> servers.Valkey:
    embedded.ensure()
    return servers.Valkey(var / "valkey")


def main_of(server: servers.Server) -> psutil.Process:
    found = keeper.main_process(server.data, server.program)
    assert found
    return found


class Writer(threading.Thread):
    """Writes one number after another into PostgreSQL, connects again as often as it must, and notes what was kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[int] = []
        self._stop_it = threading.Event()

    def run(self) -> None:
        number = 0
        while not self._stop_it.is_set():
            try:
                with psycopg.connect(embedded.database_url(), autocommit=True) as connection:
                    while not self._stop_it.is_set():
                        number += 1
                        connection.execute("INSERT INTO numbers VALUES (%s)", [number])
                        self.kept.append(number)
            except psycopg.OperationalError:
                self._stop_it.wait(0.01)

    def stop(self) -> list[int]:
        self._stop_it.set()
        self.join()
        return self.kept


@pytest.fixture
def writer(postgres: servers.Postgres) -> Iterator[Writer]:
    with psycopg.connect(embedded.database_url(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS numbers")
        connection.execute("CREATE TABLE numbers (number bigint PRIMARY KEY)")
    thread = Writer()
    thread.start()
    wait_until(lambda: thread.kept)
    yield thread
    thread.stop()


def numbers() -> set[int]:
    with psycopg.connect(embedded.database_url()) as connection:
        return {number for (number,) in connection.execute("SELECT number FROM numbers")}


def test_postgresql_that_recovers_from_a_killed_backend_is_left_to_itself(
    postgres: servers.Postgres, writer: Writer
) -> None:
    main = main_of(postgres)
    first, second = (psycopg.connect(embedded.database_url()) for _ in range(2))
    # PostgreSQL ends all backends before it recovers, and waits some seconds for one that does not go.
    os.kill(second.info.backend_pid, signal.SIGSTOP)
    os.kill(first.info.backend_pid, signal.SIGKILL)
    wait_until(lambda: postgres.state() is State.BUSY)
    before = len(writer.kept)
    assert embedded.ensure(wait=False) == []
    assert postgres.state() is State.BUSY  # so that this was a look at a server that recovers
    assert embedded.ensure() == []
    assert postgres.state() is State.READY
    assert main_of(postgres) == main
    wait_until(lambda: len(writer.kept) > before + 10)
    assert set(writer.stop()) <= numbers()


def test_killed_postgresql_is_started_again_and_keeps_all_that_it_confirmed(
    postgres: servers.Postgres, writer: Writer
) -> None:
    main = main_of(postgres)
    main.kill()
    keeper.wait_gone([main], 30)
    before = len(writer.kept)
    assert embedded.ensure() == ["PostgreSQL"]
    assert main_of(postgres) != main
    wait_until(lambda: len(writer.kept) > before + 10)
    assert set(writer.stop()) <= numbers()


def test_postgresql_that_was_told_to_stop_and_waits_for_its_clients_is_started_again(
    postgres: servers.Postgres,
) -> None:
    with psycopg.connect(embedded.database_url()):
        main = main_of(postgres)
        main.send_signal(signal.SIGTERM)  # it takes no new clients, and goes when the last one has left
        wait_until(lambda: postgres.ask() is State.BUSY)
        assert embedded.ensure() == ["PostgreSQL"]
    assert main_of(postgres) != main


def test_valkey_that_loads_its_file_is_waited_for(valkey: servers.Valkey) -> None:
    with redis.Redis.from_url(embedded.redis_url()) as client:
        pipeline = client.pipeline()
        for number in range(3000):
            pipeline.set(f"key-{number}", "x" * 100)
        pipeline.execute()
    main = main_of(valkey)
    main.terminate()
    keeper.wait_gone([main], 30)
    slow = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]
    with subprocess.Popen([*valkey.command(), *slow], stdout=subprocess.DEVNULL, **servers.run_as()) as loading:
        # A server works in its directory from the moment on when it has read its settings.
        wait_until(lambda: valkey.state() is State.BUSY)
        assert embedded.ensure(wait=False) == []
        assert embedded.ensure() == []
        assert main_of(valkey).pid == loading.pid
        with redis.Redis.from_url(embedded.redis_url()) as client:
            assert client.exists("key-0", "key-2999") == 2
            client.flushall()
        loading.terminate()


def test_server_that_hangs_is_replaced_only_when_it_has_been_silent_for_long(
    valkey: servers.Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PING_TIMEOUT_S", 0.2)
    main = main_of(valkey)
    main.suspend()
    assert embedded.ensure(wait=False) == []
    main.resume()
    assert embedded.ensure() == []
    assert main_of(valkey) == main
    monkeypatch.setattr(servers, "HUNG_AFTER_S", 0)
    monkeypatch.setattr(servers, "HUNG_STOP_TIMEOUT_S", 0.1)
    main.suspend()
    assert embedded.ensure() == ["Valkey"]
    assert main_of(valkey) != main


def test_server_that_does_nothing_for_long_is_named(
    postgres: servers.Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "STUCK_AFTER_S", -1)
    monkeypatch.setattr(keeper, "work_done", lambda data, program: 1.0)
    with pytest.raises(embedded.EmbeddedServiceError, match="PostgreSQL runs, but it takes no commands"):
        postgres.check_progress()


def keepers(var: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline", "status"])
    alive = [process for process in found if process.info["status"] != psutil.STATUS_ZOMBIE]
    return [process for process in alive if {keeper.__file__, str(var)} <= set(process.info["cmdline"] or [])]


def test_killed_keeper_is_replaced_and_a_second_one_ends_at_once(var: Path, postgres: servers.Postgres) -> None:
    wait_until(lambda: len(keepers(var)) == 1)
    (first,) = keepers(var)
    main = main_of(postgres)
    subprocess.run(
        [sys.executable, "-I", keeper.__file__, var, var / "embedded.users", var / "embedded.keeper"],
        check=True,
        timeout=60,
    )
    assert keepers(var) == [first]
    first.kill()
    keeper.wait_gone([first], 30)
    assert embedded.ensure() == []
    wait_until(lambda: len(keepers(var)) == 1)
    assert keepers(var) != [first]
    assert main_of(postgres) == main
