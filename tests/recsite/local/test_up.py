"""`manage.py up`, as `make run` starts it: from nothing to a site with a model, and to nothing left running."""

import csv
import http.cookiejar
import os
import random
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from recsite.local import embedded
from recsite.local.embedded import keeper

pytestmark = pytest.mark.process

StartSite = Callable[..., "Site"]


class Site:
    """A running `manage.py up` and what it has said so far."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=embedded.BASE_DIR,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_ignore_interrupts,
        )

    def read_until(self, text: str) -> str:
        """Read what it says up to a line with `text`, and return that line."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return line
        pytest.fail(f"It ended without saying {text!r}:\n{self.said}")

    def end(self) -> int:
        """Wait for its end; its exit status."""
        self.said += self.process.communicate(timeout=120)[0]
        return self.process.returncode


def _ignore_interrupts() -> None:
    """As a shell without job control does for what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def start_site(var: Path, tmp_path: Path) -> Iterator[StartSite]:
    started = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {"VAR_DIR": str(var), "PORT": str(port), "DATASET": str(write_dataset(tmp_path / "data"))}
    variables = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}

    def start(**changes: str) -> Site:
        started.append(Site({**variables, **ours, **changes}))
        return started[-1]

    yield start
    for site in started:
        site.process.kill()
        site.process.wait()


def write_dataset(folder: Path) -> Path:
    """Forty anime and three hundred raters, in Kaggle's format."""
    folder.mkdir()
    chance = random.Random(7)
    with (folder / "anime.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["anime_id", "name", "genre", "type", "episodes", "rating", "members"])
        rows.writerows(
            [i, f"Anime {i}", "Action, Drama", "TV", "12", f"{6 + i / 20:.2f}", 1000 * i] for i in range(1, 41)
        )
    with (folder / "rating.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "anime_id", "rating"])
        for user in range(1, 301):
            rows.writerows([user, i, chance.randint(4, 10)] for i in sorted(chance.sample(range(1, 41), 15)))
    return folder


def everything(site: Site, var: Path) -> list[psutil.Process]:
    """The site's processes, and those of the servers, which belong to nobody."""
    return [
        psutil.Process(site.process.pid),
        *psutil.Process(site.process.pid).children(recursive=True),
        *keeper.server_processes(var / "postgres" / "data", "postgres"),
        *keeper.server_processes(var / "valkey" / "data", "valkey-server"),
    ]


def ask_for_a_new_password(url: str, email: str) -> None:
    """Sign up and ask for a new password, as a person with a browser would."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def post(path: str, **fields: str) -> None:
        page = browser.open(urllib.parse.urljoin(url, path), timeout=60).read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token[1]}).encode()
        browser.open(urllib.parse.urljoin(url, path), data, timeout=60)

    post("accounts/signup/", username="ann", email=email, password1="a long enough secret")
    post("accounts/logout/")
    post("accounts/password/reset/", email=email)


def test_site_comes_up_complete_once_and_goes_away_complete(start_site: StartSite, var: Path) -> None:
    site = start_site()
    url = site.read_until("Open http").split()[1]
    assert re.search(r"model \S+ published", site.said), site.said
    page = urllib.request.urlopen(url, timeout=60).read()
    assert b"Anime" in page
    for name in re.findall(rb'(?:src|href)="/(static/[^"]+[.](?:js|css))"', page):
        asked = urllib.request.Request(f"{url}{name.decode()}", headers={"Accept-Encoding": "gzip"})
        assert urllib.request.urlopen(asked, timeout=60).headers["Content-Encoding"] == "gzip"
    assert urllib.request.urlopen(f"{url}readyz", timeout=60).status == 200

    ask_for_a_new_password(url, "ann@example.org")
    site.read_until("To: ann@example.org")
    assert "/accounts/password/reset/key/" in site.read_until("/accounts/password/reset/key/")

    beside = start_site()
    assert beside.end() == 1
    assert beside.said.startswith(f"CommandError: The site already runs at {url}")

    running = everything(site, var)
    assert {"postgres", "valkey-server"} < {process.name() for process in running}
    site.process.send_signal(signal.SIGINT)
    assert site.end() == 0
    assert keeper.wait_gone(running, 10) == []

    again = start_site()
    again.read_until("Open http")
    assert "Training" not in again.said
    assert "Loading" not in again.said
    assert again.said.count("up to date") == 2
    again.process.send_signal(signal.SIGTERM)
    assert again.end() == 0


def test_nothing_outlives_a_killed_site(start_site: StartSite, var: Path) -> None:
    site = start_site()
    site.read_until("✓ Site")
    running = everything(site, var)
    assert len(running) > 10
    site.process.kill()
    assert keeper.wait_gone(running, 60) == []


def test_occupied_port_is_said_before_anything_is_started(start_site: StartSite, var: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        site = start_site(PORT=str(port))
        assert site.end() == 1
    assert site.said.startswith(f"CommandError: Port {port} is in use")
    assert "make run PORT=8080" in site.said
    assert not (var / "postgres").exists()


def test_data_set_that_is_not_there_ends_it_with_a_line(start_site: StartSite, var: Path) -> None:
    site = start_site(DATASET="no/such/folder")
    site.read_until("no/such/folder")
    assert site.end() == 1
    assert "Traceback" not in site.said
    assert keeper.server_processes(var / "postgres" / "data", "postgres") == []
