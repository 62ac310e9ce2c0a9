"""A client that a generator makes of the contract, as users of other languages would, does what the page says."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pytest_django.live_server_helper import LiveServer

from catalog.accounts.tokens import make_token
from catalog.models import Rating
from tests import factories

CONTRACT = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi.yaml"
NAME = "generated_client"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    # By default it formats what it made with ruff, which need not be on the path.
    config = tmp_path / "config.yaml"
    config.write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
    done = subprocess.run(
        [*command, "--config", str(config), "--path", str(CONTRACT), "--output-path", str(tmp_path / NAME)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(NAME)
    for module in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[module]


def test_a_generated_client_rates_and_is_recommended_to(
    package: ModuleType, live_server: LiveServer, artifacts_dir: Path
) -> None:
    def of(path: str) -> ModuleType:
        return importlib.import_module(f"{NAME}.{path}")

    user = factories.user()
    anime = [factories.anime(mal_id=pk, genres=("Drama",)) for pk in (1, 2, 3)]
    factories.published_history_model({one.pk: [1.0, one.pk / 10] for one in anime})
    _, token = make_token(user=user, name="generated", scope="write", days=1)
    client = package.AuthenticatedClient(base_url=live_server.url, token=token)
    models = of("models")

    found = of("api.anime.anime_list").sync(client=client, genre="drama", limit=2)
    assert (found.count, len(found.results)) == (3, 2)
    of("api.me.me_ratings_update").sync(1, client=client, body=models.Score(score=9))
    assert Rating.objects.get().score == 9
    answer = of("api.recommendations.recommendations_retrieve").sync(client=client, k=5, types=["TV"])
    assert answer.path.value == "unseen"
    assert {item.anime.id for item in answer.results} == {2, 3}
    assert [reason.anime_id for reason in answer.results[0].because] == [1]

    refused = of("api.me.me_ratings_update").sync_detailed(4444, client=client, body=models.Score(score=9))
    assert refused.status_code == 404
