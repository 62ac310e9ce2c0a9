"""What a worker logs is kept with its run, bounded, and never in the training's way."""

import logging

import pytest
from django.db import connection
from django.test import Client

from recommender.models import TrainingRun
from recommender.runs import logs as run_logs
from tests import factories

logger = logging.getLogger("recommender.runs.pipeline")


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.mark.django_db
def test_lines_are_kept_with_their_run_and_shown_in_the_admin(client: Client) -> None:
    run, other = TrainingRun.objects.create(), TrainingRun.objects.create()
    with run_logs.kept(run):
        logger.info("Epoch %s of <b>", 3)
        logging.getLogger("django.request").info("elsewhere")
        try:
            raise ValueError("a \0 in the data")
        except ValueError:
            logger.exception("It failed")
    logger.info("afterwards")
    lines = list(run.log.values_list("level", flat=True))
    assert lines == ["INFO", "ERROR"]
    last = run.log.last()
    assert last
    assert "Traceback" in last.message
    assert "ValueError: a  in the data" in last.message
    assert not other.log.exists()
    client.force_login(factories.staff())
    page = client.get(f"/admin/recommender/trainingrun/{run.pk}/change/").content.decode()
    assert "Epoch 3 of &lt;b&gt;" in page


@pytest.mark.django_db
def test_the_newest_lines_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_logs, "MAX_LINES", 3)
    monkeypatch.setattr(run_logs, "MAX_LENGTH", 6)
    run = TrainingRun.objects.create()
    for round_ in range(2):
        with run_logs.kept(run):
            for number in range(2):
                logger.info("line %s%s, long", round_, number)
    assert list(run.log.values_list("message", flat=True)) == ["line 0", "line 1", "line 1"]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_went_away_costs_the_line_alone() -> None:
    run = TrainingRun.objects.create()
    with run_logs.kept(run):
        connection.ensure_connection()
        connection.connection.close()
        logger.info("nobody keeps this")
    connection.close()
    assert not run.log.exists()
