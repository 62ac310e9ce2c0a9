"""Nothing that was acknowledged is lost or done twice while web processes and Valkey are killed.

`make long` runs a thousand rounds and keeps the figures in benchmarks/results/races.json; run
`python -m benchmarks.report` afterwards.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results import write_result
from tests import processes

NEVER = ("ratings lost", "creations doubled", "creations answered with another result")
UNITS = {"rounds": "", "seconds": "s"}


def fight(rounds: int, var: Path) -> dict[str, Any]:
    """What came of so many rounds, on servers of their own, because all other tests use the shared ones."""
    script = "import tests.environment, django; django.setup()\nfrom tests.common import races; races.main()"
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment.pop("PYTEST_XDIST_WORKER", None)
    environment |= {"VAR_DIR": str(var), "DJANGO_SETTINGS_MODULE": "recsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(rounds)],
        env=environment, cwd=processes.BASE_DIR, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**dict.fromkeys(NEVER, 0), **found}


def record(found: dict[str, Any]) -> None:
    write_result(
        "races",
        command="make long",
        data="made up: in each round 21 ratings of one visitor, and 3 creations with a key, each by 3 callers",
        figures=[{"name": name, "unit": UNITS.get(name, "times"), "value": value} for name, value in found.items()],
    )


def check(found: dict[str, Any], rounds: int) -> None:
    assert {name: found[name] for name in NEVER} == dict.fromkeys(NEVER, 0), found
    assert found["ratings acknowledged"] == 21 * rounds
    assert found["creations acknowledged"] == 3 * rounds
    assert found["web processes killed"] > rounds / 2
    assert found["Valkey killed"] == rounds // 5


@pytest.mark.process
def test_what_is_acknowledged_outlives_kills(tmp_path: Path) -> None:
    check(fight(30, tmp_path / "var"), 30)


@pytest.mark.long
def test_a_thousand_rounds(tmp_path: Path) -> None:
    found = fight(1000, tmp_path / "var")
    record(found)
    check(found, 1000)
