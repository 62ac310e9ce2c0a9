"""gunicorn's worker that serves with waitress, and ends itself when it has served long or grown large."""

import os
import resource
import time
from typing import Any

import psutil
from gunicorn.workers.base import Worker
from waitress import wasyncore

from recsite.server.connections import Server

#: How long a stopping process keeps idle connections, in seconds, for a request that may be on its way.
LINGER_S = 2
#: How many files and connections a process may have open, where the system allows as many.
MAX_FILES = 8192


class WaitressWorker(Worker):  # type: ignore[misc]
    """One web process."""

    def init_process(self) -> None:
        _bound(resource.RLIMIT_NOFILE, MAX_FILES)
        # A single request that takes far more gets a MemoryError; the machine's other processes keep theirs.
        _bound(resource.RLIMIT_DATA, 2 * memory_limit())
        self._process = psutil.Process()
        super().init_process()

    def run(self) -> None:
        from recsite.incoming import max_body  # Django is set up by now, and not before

        self._sockets: dict[int, Any] = {}
        self._servers = [
            Server(
                self.wsgi,
                listener.sock,
                threads=self.cfg.threads,
                backlog=self.cfg.backlog,
                max_body=max_body,
                on_request=self._count,
                sockets=self._sockets,
            )
            for listener in self.sockets
        ]
        while self.alive:
            self._turn()
        for server in self._servers:
            server.stop()
        begun = time.monotonic()
        while (waited := time.monotonic() - begun) < self.cfg.graceful_timeout and self._connections():
            if waited > LINGER_S:
                for connection in self._connections():
                    if connection.is_idle():
                        connection.handle_close()
            self._turn(timeout_s=0.2)
        for server in self._servers:
            server.task_dispatcher.shutdown(timeout=1)

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        self._wake()

    def _turn(self, timeout_s: float = 1.0) -> None:
        """Read and write what there is, or wait for it."""
        wasyncore.poll2(timeout_s, self._sockets)
        now = time.monotonic()
        if now < getattr(self, "_checked", 0.0) + 1:
            return
        self._checked = now
        self.notify()
        if self.ppid != os.getppid():
            self.alive = False
        elif self.alive and (taken := self._memory()) > memory_limit():
            self.log.warning("Replacing a web process that takes %d MB (WEB_MEMORY_MB).", taken // 1024**2)
            self.alive = False

    def _memory(self) -> int:
        """The bytes that are this process's own: a model's files are mapped, and shared with the others."""
        info = self._process.memory_info()
        return int(info.rss - info.shared)

    def _count(self) -> None:
        """Note a request. Called by the threads."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.alive = False
            self._wake()

    def _wake(self) -> None:
        for server in getattr(self, "_servers", ()):
            server.pull_trigger()

    def _connections(self) -> list[Any]:
        return [connection for server in self._servers for connection in server.active_channels.values()]


def memory_limit() -> int:
    """How many bytes a web process may take before another one replaces it."""
    return int(os.environ.get("WEB_MEMORY_MB") or 600) * 1024**2


def _bound(what: int, soft: int) -> None:
    """Set a limit of this process, within what the system allows."""
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
