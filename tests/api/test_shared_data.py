"""The API keeps its contract on a site with the whole catalogue of the shared data, and not on made-up rows alone."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings

from catalog.accounts.tokens import make_token
from catalog.models import Anime
from tests import factories
from tests.api.test_openapi import CHECKS, schema

RATING_LINES = 20_000
EXAMPLES = 15
READS = {
    "/api/v1/anime/", "/api/v1/anime/{id}/", "/api/v1/anime/{id}/similar/", "/api/v1/genres/", "/api/v1/me/",
    "/api/v1/me/ratings/", "/api/v1/me/list/", "/api/v1/predictions/", "/api/v1/recommendations/",
}  # fmt: skip


@pytest.fixture
def site(shared_data: Path, tmp_path: Path, transactional_db: None, artifacts_dir: Path) -> dict[str, str]:
    """The whole catalogue, the first of the ratings and a published model; the headers of somebody who sees it all."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "anime.csv").symlink_to(shared_data / "anime.csv")
    with (shared_data / "rating.csv").open() as lines:
        (folder / "rating.csv").write_text("".join(itertools.islice(lines, RATING_LINES)))
    call_command("load_dataset", str(folder), verbosity=0)
    user = factories.staff(username="reader", shows_adult=True)
    anime = list(Anime.objects.order_by("pk"))
    for one in anime[::400]:
        factories.rating(user, one, 9)
        factories.list_entry(user, one)
    vectors = np.random.default_rng(0).normal(size=(len(anime), 8))
    factories.published_history_model({one.pk: vector.tolist() for one, vector in zip(anime, vectors, strict=True)})
    _, text = make_token(user=user, name="reader", scope="read", days=1)
    return {"Authorization": f"Bearer {text}", "Accept-Encoding": "identity"}


def read(path: str, headers: dict[str, str], *, query: dict[str, Any] | None = None, anime: int | None = None) -> Any:
    """An answer that keeps the contract."""
    case = schema[path]["GET"].Case(query=query or {}, path_parameters={"id": anime} if anime else {})
    answer = case.call(headers=headers)
    assert answer.status_code == 200, answer.text
    case.validate_response(answer, checks=CHECKS)
    return answer.json()


def test_a_loaded_site_keeps_the_contract(site: dict[str, str]) -> None:
    every = [
        row["id"]
        for offset in range(0, Anime.objects.count(), 100)
        for row in read("/api/v1/anime/", site, query={"limit": 100, "offset": offset})["results"]
    ]
    assert len(set(every)) == Anime.objects.count() > 10_000
    # Those of which something is not known, and a few of all.
    odd = {*Anime.objects.filter(type="").values_list("pk", flat=True)[:10]}
    odd |= {*Anime.objects.filter(episodes=None).values_list("pk", flat=True)[:10]}
    odd |= {*Anime.objects.filter(score=None).values_list("pk", flat=True)[:10]}
    odd |= {*Anime.objects.filter(genres=None).values_list("pk", flat=True)[:10]}
    for pk in {*odd, *every[::1500]}:
        read("/api/v1/anime/{id}/", site, anime=pk)
        read("/api/v1/anime/{id}/similar/", site, anime=pk)
    for offset in (0, 100, 500):
        read("/api/v1/recommendations/", site, query={"k": 100, "offset": offset})
    read("/api/v1/predictions/", site, query={"anime_ids": every[:100]})
    for path in ("/api/v1/genres/", "/api/v1/me/", "/api/v1/me/ratings/", "/api/v1/me/list/"):
        read(path, site)


def test_nothing_that_is_asked_of_a_loaded_site_breaks_it(site: dict[str, str]) -> None:
    for path in sorted(READS):
        bounds = settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip

        @bounds
        @given(case=schema[path]["GET"].as_strategy())
        def ask(case: Any) -> None:
            case.validate_response(case.call(headers=site), checks=CHECKS)

        ask()
