"""The web server's settings, here and in the container: `gunicorn --config python:recsite.gunicorn_config`."""

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
worker_class = "recsite.server.worker.WaitressWorker"
threads = 4
# A process is replaced before what it leaks can matter; not all at the same moment.
max_requests, max_requests_jitter = 20_000, 5_000
timeout = 60
graceful_timeout = 10
loglevel = "warning"
# The workers' heartbeat is a file, which on a disk can block; memory cannot.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True

# A list is one vector times a matrix: threads of BLAS would only get in the way of the server's own. Read by numpy when
# the application is loaded, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What the processes count, each in files of its own, for whichever of them is asked for /metrics.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="recsite-metrics-")


def on_starting(server: Any) -> None:
    """gunicorn logs what it cannot read: without queries and the addresses of people."""
    from recsite.observability.logs import WithoutAddresses

    logging.getLogger("gunicorn.error").addFilter(WithoutAddresses())


def child_exit(server: Any, worker: Any) -> None:
    """A process that is gone has nothing to say of the present; its counts go into one file for all that are gone."""
    from prometheus_client import multiprocess  # looks for the folder when it is imported
    from prometheus_client.mmap_dict import MmapedDict

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    for kind in ("counter", "histogram", "summary"):
        source = folder / f"{kind}_{worker.pid}.db"
        if not source.exists():
            continue
        total = MmapedDict(str(folder / f"{kind}_ended.db"))  # type: ignore[no-untyped-call]
        for name, value, _time, _place in MmapedDict.read_all_values_from_file(str(source)):  # type: ignore[no-untyped-call]
            total.write_value(name, total.read_value(name)[0] + value, 0.0)  # type: ignore[no-untyped-call]
        total.close()  # type: ignore[no-untyped-call]
        source.unlink()


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
