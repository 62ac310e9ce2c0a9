"""The steps of `manage.py up` that need no site of their own."""

import shutil

import pytest

from recsite.local import startup
from recsite.local.screen import Screen
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]


def test_a_model_is_missed_when_there_is_none_and_when_it_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert not startup.has_model(Screen())
    run = factories.published_history_model({1: [1.0], 2: [2.0]})
    assert startup.has_model(Screen())
    assert capsys.readouterr().out == ""
    (run.artifact_path / "item_embeddings.npy").unlink()
    assert not startup.has_model(Screen())
    assert f"Model {run} cannot be read by this version: another is trained" in capsys.readouterr().out
    shutil.rmtree(run.artifact_path)
    assert not startup.has_model(Screen())
