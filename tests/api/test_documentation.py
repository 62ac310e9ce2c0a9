"""docs/api.md is true: its examples run as they are written, and what it lists is what there is."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_django.live_server_helper import LiveServer

from catalog.accounts.tokens import make_token
from catalog.models import User
from recommender.models import ListEvent
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "api.md").read_text()
CONTRACT = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def site(live_server: LiveServer, artifacts_dir: Path) -> dict[str, str]:
    """A running site with some anime and a model, and what the examples need to know of it."""
    titles = {1: "Cowboy Bebop", 5: "Cowboy Bebop: The Movie", 6: "Trigun", 20: "Naruto", 30: "Evangelion"}
    for pk, title in titles.items():
        factories.anime(title, mal_id=pk, genres=("Drama", "Sci-Fi"))
    factories.published_history_model({pk: [1.0, pk / 10] for pk in titles})
    _, token = make_token(user=factories.user("reader"), name="docs", scope="write", days=1)
    return {"API": f"{live_server.url}/api/v1", "TOKEN": token}


def test_the_examples_for_the_shell_work(site: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    script = "".join(examples("sh"))
    for name, value in site.items():
        script, count = re.subn(rf"^{name}=.*$", f"{name}={value}", script, flags=re.MULTILINE)
        assert count == 1
    # An error of the site fails the example; 304 is none.
    start = 'set -euo pipefail\ncurl() { command curl --fail-with-body --silent --show-error "$@"; echo; }\n'
    done = subprocess.run(
        ["bash", "-c", start + script], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Cowboy Bebop" in done.stdout
    assert done.stdout.count('"list_id"') == 2
    assert done.stdout.strip().endswith("304")


def test_the_client_in_python_works(
    site: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in site.items():
        monkeypatch.setitem(os.environ, name, value)
    (client,) = examples("python")
    names: dict[str, Any] = {}
    exec(compile(client, "docs/api.md", "exec"), names)
    assert "Cowboy Bebop" in capsys.readouterr().out
    assert ListEvent.objects.filter(served_list__user=User.objects.get(), kind="impression").count() == 3
    with pytest.raises(RuntimeError, match=r"The request is not valid; see errors\.; #/score: "):
        names["call"]("PUT", "me/ratings/1/", json={"score": 11})


def test_the_table_of_addresses_is_complete() -> None:
    described = set(re.findall(r"`((?:anime|genres|recommendations|predictions|events|me|staff)/[^`]*)`", PAGE))
    there = {path.removeprefix("/api/v1/") for path in CONTRACT["paths"]}
    assert there <= described
    assert {path for path in described if path != "staff/"} <= there


def test_every_control_and_event_is_described() -> None:
    operation = CONTRACT["paths"]["/api/v1/recommendations/"]["get"]
    names = {parameter["name"] for parameter in operation["parameters"]}
    table = PAGE.partition("## Recommendations")[2].partition("The answer has")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == names
    kinds = CONTRACT["components"]["schemas"]["KindEnum"]["enum"]
    assert [kind for kind in kinds if f"`{kind}`" not in PAGE] == []


def test_every_operation_has_a_summary_and_says_what_an_error_is() -> None:
    for methods in CONTRACT["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert "application/problem+json" in operation["responses"]["4XX"]["content"]
