"""The steps of `manage.py up`, from the servers to a site that answers; each does only what is missing."""

import errno
import fcntl
import hashlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor

from catalog.models import Dataset
from recommender import tasks
from recommender.models import TrainingRun
from recommender.runs import services
from recommender.serving.models.artifacts import is_readable
from recsite.local import embedded
from recsite.local.screen import Screen
from recsite.local.supervisor import Child, Supervisor

WEB_START_TIMEOUT_S = 120


def address() -> tuple[str, int]:
    """Host and port to serve on: `HOST` and `PORT`, by default this machine only, on 8000."""
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        raise CommandError(f"PORT={port} is not a port: choose a number from 1024 to 65535.")
    return host, int(port)


@contextmanager
def only_one(var: Path, url: str) -> Iterator[None]:
    """Raise CommandError while another `up` runs on the same files."""
    embedded.own_dir(var)
    with (var / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CommandError(
                f"The site already runs at {lock.read() or 'an address that it will print'}: "
                "stop it first, or set VAR_DIR (and PORT) for a second one."
            ) from None
        lock.truncate(0)
        lock.write(url)
        lock.flush()
        yield


def check_port(host: str, port: int) -> None:
    """Raise CommandError when the port cannot be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"is in use{_user_of(port)}"
            else:
                reason = f"of {host} cannot be used ({error.strerror})"
            raise CommandError(
                f"Port {port} {reason}: choose another, as in `make run PORT={8081 if port == 8080 else 8080}`."
            ) from None


def _user_of(port: int) -> str:
    try:
        for found in psutil.net_connections("tcp"):
            if found.pid and found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port:
                return f" by {psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        pass  # other people's processes are not ours to see
    return ""


def migrate(screen: Screen) -> None:
    """Bring the tables up to this code."""
    with screen.step("Database") as step:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if missing:
            call_command("migrate", verbosity=0, interactive=False)
        step.detail = f"{missing} migrations applied" if missing else "up to date"


def collect_static(screen: Screen, var: Path) -> None:
    """Collect static files again when one of them changed."""
    with screen.step("Static files") as step:
        stamp = var / "static.stamp"
        state = _static_state()
        if stamp.exists() and stamp.read_text() == state:
            step.detail = "up to date"
            return
        stamp.unlink(missing_ok=True)
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(state)
        step.detail = "collected"


def _static_state() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = os.stat(storage.path(path))
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def load_data(screen: Screen) -> bool:
    """Load the data set that `DATASET` names, or the demo into an empty database; whether it brought something new."""
    source, start = os.environ.get("DATASET"), time.monotonic()
    before = _datasets()
    if source or not before:
        call_command("load_dataset", *([source] if source else []))
    loaded = [f"{row}: {row.rating_count:,} ratings, {row.anime_count:,} anime" for row in Dataset.objects.all()]
    screen.done("Data", "; ".join(loaded), time.monotonic() - start)
    return _datasets() != before


def _datasets() -> set[tuple[str, str]]:
    return set(Dataset.objects.values_list("name", "fingerprint"))


def wait_until_serving(screen: Screen, supervisor: Supervisor, web: Child, port: int) -> None:
    """Wait for the site's first answer. Raises CommandError when it does not come up."""
    with screen.step("Site") as step:
        deadline = time.monotonic() + WEB_START_TIMEOUT_S
        while not _answers(port):
            supervisor.check()
            if web.failures or time.monotonic() > deadline:
                raise CommandError(f"The site did not come up; the reason is in {web.log}.")
            time.sleep(0.1)
        step.detail = "answers"


def _answers(port: int) -> bool:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", "/healthz", headers={"Host": "localhost"})
        return client.getresponse().status == 200
    except OSError:
        return False
    finally:
        client.close()


def has_model(screen: Screen) -> bool:
    """Whether a model is published that this version can serve; says so of one that it cannot."""
    published = TrainingRun.objects.published().first()
    if published is None:
        return False
    if not (readable := is_readable(published)):
        screen.say(f"Model {published} cannot be read by this version: another is trained and takes its place.")
    return readable


def train_if_needed(screen: Screen, supervisor: Supervisor, *, has_new_data: bool) -> None:
    """Train and publish a model when there is none that serves, or one of other data, and show the way to it.

    A failure is shown, and the site goes on with what it has.
    """
    if not has_new_data and has_model(screen):
        return
    run = TrainingRun.objects.active().first()
    if run is None:
        run = services.launch_first_trainings()
    else:
        tasks.resume_interrupted_runs()
    start = time.monotonic()
    with screen.bar() as bar:
        while run.is_active or run.waits_to_publish_itself:
            bar.update(run.get_phase_display(), run.progress)
            supervisor.check()
            time.sleep(0.3)
            close_old_connections()
            try:
                run.refresh_from_db()
            except OperationalError:
                embedded.ensure()
    # Retired: the training after it has published a better model meanwhile.
    if run.state in (TrainingRun.State.PUBLISHED, TrainingRun.State.RETIRED):
        screen.done("Training", f"model {run} published", time.monotonic() - start)
    else:
        screen.say(f"✗ Training     {run.error or run.get_state_display()}; the site recommends what is popular.")
