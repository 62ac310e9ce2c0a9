"""Fixtures that every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.utils import translation
from pytest_django import Settings

from catalog.models import User
from common import valkey
from recommender.serving import anime_arrays, interleaving
from recommender.serving.models import published
from tests import factories

SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "anime"


@pytest.fixture(autouse=True)
def _separate_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """What one test left in the cache or in this process's memory is not the next one's."""
    anime_arrays.forget()
    valkey.forget()
    published.forget()
    interleaving.forget()
    translation.deactivate()  # a request leaves its language to the thread
    yield
    if request.node.get_closest_marker("django_db") or {"db", "transactional_db"} & set(request.fixturenames):
        cache.clear()


@pytest.fixture(autouse=True)
def _static_files_by_their_names(settings: Settings) -> None:
    """No collectstatic under test, so no manifest of hashed names."""
    backend = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": backend}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real ratings beside the repository; the test is skipped where it is not."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs ../shared/data/anime")
    return SHARED_DATA


@pytest.fixture
def artifacts_dir(tmp_path: Path, settings: Settings) -> Path:
    """An artifact store of the test's own."""
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"
    return tmp_path / "artifacts"


@pytest.fixture
def user(db: None) -> User:
    return factories.user()
