"""Web processes serve another model from the first request after it is published, and drop none meanwhile."""

import http.client
import json
import threading
from pathlib import Path

import pytest
from django.test import Client

from catalog.models import User
from recommender.models import TrainingRun
from recommender.runs import services
from tests import factories, processes

pytestmark = [
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("artifacts_dir"),
]


def version_served(address: str, cookie: str) -> str:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("GET", "/api/v1/recommendations/", headers={"Cookie": cookie})
        response = connection.getresponse()
        assert response.status == 200, response.status
        return str(json.load(response)["model_version"])
    finally:
        connection.close()


def test_every_process_switches_with_the_next_request_and_no_request_fails(user: User, tmp_path: Path) -> None:
    anime = [factories.anime() for _ in range(30)]
    factories.rating(user, anime[0], 9)
    models: list[TrainingRun] = [
        factories.published_model({one.pk: [1.0, 0.1 * place] for place, one in enumerate(anime)}) for _ in range(2)
    ]
    client = Client()
    client.force_login(user)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    failures: list[BaseException] = []
    stop = threading.Event()

    def keep_asking(address: str) -> None:
        while not stop.is_set():
            try:
                assert version_served(address, cookie) in {str(run) for run in models}
            except BaseException as error:
                failures.append(error)

    with processes.web_server(tmp_path / "web.log") as address:
        askers = [threading.Thread(target=keep_asking, args=[address]) for _ in range(3)]
        for asker in askers:
            asker.start()
        try:
            for turn in range(10):
                run = models[turn % 2]
                run.refresh_from_db()
                services.publish(run) if turn % 3 else services.roll_back()
                # More requests than there are processes and threads: each answers by the model that is published.
                assert {version_served(address, cookie) for _ in range(12)} == {str(run)}
        finally:
            stop.set()
            for asker in askers:
                asker.join()
    assert failures == []
