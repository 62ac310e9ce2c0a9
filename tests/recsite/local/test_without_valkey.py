"""The site while its Valkey is dead or hangs: a real server, and a Valkey of its own that is killed or stopped."""

import http.cookiejar
import json
import re
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from catalog.models import Anime, ApiToken, Rating, User
from recommender.models import TrainingRun
from recsite.local.embedded import keeper, servers
from tests import factories, processes

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("artifacts_dir")]
#: Whoever waits longer has been left hanging.
DEADLINE_S = 20
PASSWORD = "a long enough secret"


class Browser:
    """Keeps cookies, follows redirects, sends forms with their token."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        asked = urllib.request.Request(f"http://{self.address}{path}", body, {**self._headers, **headers})
        try:
            with self._opener.open(asked, timeout=DEADLINE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def send(self, path: str, content: object, method: str = "POST") -> int:
        asked = urllib.request.Request(
            f"http://{self.address}{path}",
            json.dumps(content).encode(),
            {**self._headers, "Content-Type": "application/json"},
            method=method,
        )
        try:
            with self._opener.open(asked, timeout=DEADLINE_S) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            pytest.fail(f"{path} answered {error.code}: {error.read().decode()}")

    def post(self, page: str, path: str, **fields: str) -> tuple[int, str]:
        """Send a form with the token that `page` has."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.ask(page)[1])
        assert token, page
        return self.ask(path, urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token[1]}).encode())


class OwnValkey:
    """A Valkey that nobody else uses."""

    def __init__(self, directory: Path) -> None:
        self._server = servers.Valkey(directory, durable=False)
        self.url = f"unix://{self._server.socket_path}"
        self._server.start()

    @property
    def _process(self) -> psutil.Process:
        found = keeper.main_process(self._server.data, self._server.program)
        assert found
        return found

    def harm(self, how: str) -> None:
        process = self._process
        if how == "hung":
            process.suspend()
        else:
            process.kill()
            keeper.wait_gone([process], 30)

    def revive(self, how: str) -> None:
        if how == "hung":
            self._process.resume()
        else:
            self._server.start()

    def stop(self) -> None:
        keeper.stop(self._server.data, self._server.program, signal.SIGKILL)
        servers.reap()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    own = OwnValkey(tmp_path / "valkey")
    yield own
    own.stop()


def site(log: Path, valkey: OwnValkey, **variables: str) -> AbstractContextManager[str]:
    """One process of the site; with DEBUG its pages need no collected static files."""
    return processes.web_server(log, REDIS_URL=valkey.url, WEB_CONCURRENCY="1", DEBUG="1", **variables)


def make_people() -> tuple[User, str, str]:
    """A member with a token, and a token of somebody who may launch trainings."""
    member = factories.user("ann", password=PASSWORD)
    people = {member: "write", factories.staff(): "staff"}
    tokens = [ApiToken.objects.create(user=one, scope=scope)[1] for one, scope in people.items()]
    return member, tokens[0], tokens[1]


def sign_in(browser: Browser, password: str = PASSWORD) -> tuple[int, str]:
    return browser.post("/accounts/login/", "/accounts/login/", login="ann", password=password)


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_what_needs_no_valkey_goes_on_without_it(how: str, valkey: OwnValkey, tmp_path: Path) -> None:
    shelf = [factories.anime() for _ in range(5)]
    factories.published_model({anime.pk: [1.0, 0.5] for anime in shelf})
    member, token, staff_token = make_people()
    log = tmp_path / "web.log"
    with site(log, valkey) as address:
        visitor, leaver, api = Browser(address), Browser(address), Browser(address, token)
        assert sign_in(leaver)[0] == 200
        assert json.loads(visitor.ask("/readyz")[1])["cache"] is True

        valkey.harm(how)
        check_pages(visitor, api, shelf)
        check_writes(Browser(address), api, shelf, member)
        staff = Browser(address, staff_token)
        assert staff.send("/api/v1/staff/runs/", {"family": "paper", "config": {"epochs": 1}}) == 201
        assert TrainingRun.objects.active().count() == 1
        assert sign_in(Browser(address), "wrong")[0] == 200
        assert leaver.post("/accounts/logout/", "/accounts/logout/")[0] == 200
        status, ready = visitor.ask("/readyz")
        assert (status, json.loads(ready)["cache"], json.loads(ready)["database"]) == (200, False, True)
        text = log.read_text()
        assert text.count("Valkey does not answer; this process goes on without it") == 1
        assert "Traceback" not in text

        valkey.revive(how)
        processes.wait_until(lambda: json.loads(visitor.ask("/readyz")[1])["cache"], log)
        # Valkey has come back with what it held; it must not bring back a session that has ended.
        assert "/accounts/login/" in leaver.ask("/me/settings/")[1]
        assert log.read_text().count("Valkey answers again") == 1


def check_pages(visitor: Browser, api: Browser, shelf: list[Anime]) -> None:
    one = shelf[0].pk
    pages = ["/", "/anime/", "/anime/?q=anime", f"/anime/{one}/", "/recommendations/", "/accounts/login/", "/metrics"]
    reads = ["anime/", f"anime/{one}/", f"anime/{one}/similar/", "genres/", "recommendations/"]
    mine = ["me/", "me/ratings/", "me/list/", "recommendations/"]
    asked = [
        *((visitor, path) for path in pages),
        *((visitor, f"/api/v1/{path}") for path in reads if path != "recommendations/"),
        *((api, f"/api/v1/{path}") for path in mine),
    ]
    for browser, path in asked:
        assert browser.ask(path)[0] == 200, path


def check_writes(browser: Browser, api: Browser, shelf: list[Anime], member: User) -> None:
    first, second, third = shelf[:3]
    assert api.send(f"/api/v1/me/ratings/{first.pk}/", {"score": 9}, "PUT") in (200, 201)
    assert api.send("/api/v1/recommendations/", {"ratings": [{"anime_id": second.pk, "score": 9}]}) == 200
    page = f"/anime/{second.pk}/"
    assert browser.post(page, f"{page}rate/", score="7")[0] == 200  # by a visitor, in a session
    assert sign_in(browser)[0] == 200
    assert "ann" in browser.ask("/me/settings/")[1]
    page = f"/anime/{third.pk}/"
    assert browser.post(page, f"{page}rate/", score="8")[0] == 200
    kept = dict(Rating.objects.filter(user=member).values_list("anime_id", "score"))
    assert kept == {first.pk: 9, second.pk: 7, third.pk: 8}
    uploaded = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="list.csv"\r\n\r\nanime_id,score\r\n'
        + f"{first.pk},5\r\n--x--\r\n".encode()
    )
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.ask("/me/data/")[1])
    assert found
    headers = {"Content-Type": "multipart/form-data; boundary=x", "X-CSRFToken": found[1]}
    status, page = browser.ask("/me/data/import/", uploaded, **headers)
    assert (status, "try again in a minute" in page) == (400, True)


def test_passwords_cannot_be_tried_without_end_while_valkey_is_away(valkey: OwnValkey, tmp_path: Path) -> None:
    make_people()
    log = tmp_path / "web.log"
    with site(log, valkey, API_RATE_ANONYMOUS="3/hour") as address:
        valkey.harm("killed")
        browser = Browser(address)
        answers = [sign_in(browser, "wrong")[1] for _ in range(6)]
        assert "Too many failed login attempts" in answers[-1]
        assert "Too many failed login attempts" not in answers[0]
        assert [browser.ask("/api/v1/genres/")[0] for _ in range(4)] == [200, 200, 200, 429]
