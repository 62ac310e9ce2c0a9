"""Run by `test_races` on servers of its own: what the site acknowledged is there once, whatever was killed meanwhile.

In each round a visitor sends many ratings at once, and a program several creations, each by several callers with one
`Idempotency-Key`. Meanwhile web processes, and in some rounds Valkey, are killed. Callers repeat what was not
acknowledged, and keep a ledger of what was, which is compared with the database.
"""

import http.client
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

import psutil
from django.core.management import call_command
from django.db import connection

from catalog.accounts.tokens import make_token
from catalog.datasets.models import ImportJob
from catalog.models import Rating, VisitorEntry
from recsite.local import embedded
from recsite.local.embedded import keeper
from tests import factories, processes

RATINGS, KEYS, CALLERS = 20, 3, 3
VALKEY_EVERY, LOG_IN_EVERY = 5, 10
GIVE_UP_AFTER_S = 90
PASSWORD, CSRF = "Tr0ub4dor&3x", "a" * 32
FORM = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": CSRF}


class Answer(NamedTuple):
    status: int
    body: bytes
    session: str


class Site:
    """The site under fire, and what its callers went through."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.seen: Counter[str] = Counter()
        gunicorns = [one for one in psutil.Process().children() if "gunicorn" in " ".join(one.cmdline())]
        (self.server,) = gunicorns

    def post(self, path: str, body: str, headers: dict[str, str], accepted: set[int]) -> Answer:
        """Send it until the site answers as it should, as a careful client does."""
        give_up = time.monotonic() + GIVE_UP_AFTER_S
        while time.monotonic() < give_up:
            client = http.client.HTTPConnection(self.address, timeout=30)
            try:
                client.request("POST", path, body, headers)
                response = client.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException):
                self.seen["connections lost"] += 1
            else:
                if response.status in accepted:
                    self.seen["repeats answered"] += response.headers.get("Idempotency-Replayed") == "true"
                    cookies = ";".join(response.headers.get_all("Set-Cookie") or ())
                    return Answer(response.status, content, cookies.partition("sessionid=")[2].partition(";")[0])
                self.seen[f"answers {response.status}"] += 1
            finally:
                client.close()
            time.sleep(0.05)  # between tries of a client whose call failed
        raise AssertionError(f"{path} was not answered within {GIVE_UP_AFTER_S} s: {self.seen}")

    def kill_a_web_process(self) -> None:
        if workers := self.server.children():
            random.choice(workers).kill()
            self.seen["web processes killed"] += 1

    def kill_valkey(self) -> None:
        found = keeper.server_processes(embedded.var_dir() / "valkey" / "data", "valkey-server")
        found[0].send_signal(signal.SIGKILL)
        psutil.wait_procs(found, timeout=30)
        # A variable that is set stands for somebody else's server, which `ensure` leaves alone.
        address = os.environ.pop("REDIS_URL")
        embedded.ensure(durable=False)
        os.environ["REDIS_URL"] = address
        self.seen["Valkey killed"] += 1


class Round:
    """One visitor and one program, and the ledger of what the site acknowledged to them."""

    def __init__(self, site: Site, number: int, token: str, anime: list[int]) -> None:
        self.site, self.number, self.token, self.anime = site, number, token, anime
        self.rated: dict[int, int] = {}
        self.created: dict[str, set[int]] = {}
        self.session = ""

    def run(self, pool: ThreadPoolExecutor) -> None:
        self.rate(self.anime[0])
        calls: list[Callable[[], object]] = [partial(self.rate, one) for one in self.anime[1:]]
        for key in (f"round-{self.number}-{i}" for i in range(KEYS)):
            self.created[key] = set()
            calls += [partial(self.create, key)] * CALLERS
        random.shuffle(calls)
        running = [pool.submit(call) for call in calls]
        time.sleep(random.uniform(0, 0.3))  # the kill comes at any point of the calls
        self.site.kill_a_web_process()
        if self.number % VALKEY_EVERY == 0:
            self.site.kill_valkey()
        for one in running:
            one.result()

    def rate(self, anime: int) -> None:
        score = random.randint(1, 10)
        cookies = f"csrftoken={CSRF}" + (f"; sessionid={self.session}" if self.session else "")
        headers = {**FORM, "HX-Request": "true", "Cookie": cookies}
        answer = self.site.post(f"/anime/{anime}/rate/", urlencode({"score": score}), headers, {200})
        self.rated[anime] = score
        self.session = self.session or answer.session

    def create(self, key: str) -> None:
        headers = {
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "Idempotency-Key": key,
        }  # fmt: skip
        body = json.dumps({"source": "demo", "name": key})
        answer = self.site.post("/api/v1/staff/imports/", body, headers, {201})
        self.created[key].add(json.loads(answer.body)["id"])

    def log_in(self) -> dict[int, int]:
        """What the account has of the visitor's ratings after they log in."""
        user = factories.user(password=PASSWORD)
        headers = {**FORM, "Cookie": f"csrftoken={CSRF}; sessionid={self.session}"}
        form = urlencode({"login": user.username, "password": PASSWORD})
        self.site.post("/accounts/login/", form, headers, {302})
        return dict(Rating.objects.filter(user=user).values_list("anime_id", "score"))

    def check(self) -> Counter[str]:
        """Compare the ledger with the database."""
        kept: dict[int, int | None] = dict(
            VisitorEntry.objects.filter(session=self.session).values_list("anime_id", "score")
        )
        if self.number % LOG_IN_EVERY == 0:
            kept = {**self.log_in()}
        found: Counter[str] = Counter(
            {
                "ratings acknowledged": len(self.rated),
                "ratings lost": sum(kept.get(anime) != score for anime, score in self.rated.items()),
                "creations acknowledged": len(self.created),
            }
        )
        for key, answered in self.created.items():
            rows = set(ImportJob.objects.filter(name=key).values_list("pk", flat=True))
            found["creations doubled"] += len(rows) > 1
            found["creations answered with another result"] += answered != rows
        return found


def main() -> None:
    rounds = int(sys.argv[1])
    random.seed(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    anime = [factories.anime().pk for _ in range(RATINGS + 1)]
    boss = factories.staff()
    _row, token = make_token(user=boss, name="races", scope="staff", days=1)
    total: Counter[str] = Counter()
    begun = time.monotonic()
    try:
        with (
            # Loaded before the processes are forked, so that one that is killed is replaced at once.
            processes.web_server(
                embedded.var_dir() / "web.log", "--preload", application="tests.common.preloaded", WEB_CONCURRENCY="3"
            ) as address,
            ThreadPoolExecutor(RATINGS + KEYS * CALLERS) as pool,
        ):
            site = Site(address)
            for number in range(1, rounds + 1):
                one = Round(site, number, token, anime)
                one.run(pool)
                total += one.check()
                if number % 25 == 0:
                    print(number, round(time.monotonic() - begun), dict(total), dict(site.seen), flush=True)
        total.update(site.seen)
        print(json.dumps({"rounds": rounds, "seconds": round(time.monotonic() - begun), **total}))
    finally:
        connection.close()
        embedded.release()
