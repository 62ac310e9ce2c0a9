"""No call costs more than six queries, however much is asked for and however much there is.

Whose session it is asks the database once more: sessions are not cached, so that a log-out holds whatever Valkey does.
"""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.accounts.tokens import make_token
from catalog.datasets.models import ImportJob
from catalog.models import Anime, ListEntry, Rating, User
from evaluation.models import Evaluation, Review
from recommender.models import ServedList, TrainingRun
from tests import factories
from tests.evaluation.judging import answers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]

MOST = 6
N_ANIME, N_RATED = 230, 110
LIST_ID = "00000000-0000-4000-8000-000000000001"
#: Beginning and ending a transaction asks the database nothing.
TRANSACTIONS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")

READS = [
    "anime/?limit={k}",
    "anime/?limit={k}&genre=action&without_genre=drama&type=TV",
    "anime/?limit={k}&q=anime",
    "anime/?limit={k}&q=anime&ordering=title",
    "anime/1/",
    "anime/1/similar/?k={k}",
    "genres/",
    "recommendations/?k={k}",
    "recommendations/?k={k}&method=popularity&explain=false",
    "recommendations/?k={k}&offset=5&diversity=1&novelty=1&sequels=0&genres=action",
    "me/",
    "me/ratings/?limit={k}",
    "me/ratings/1/",
    "me/list/?limit={k}",
    "me/list/1/",
    "staff/runs/?limit={k}",
    "staff/runs/900001/",
    "staff/evaluations/?limit={k}",
    "staff/evaluations/900001/",
    "staff/imports/?limit={k}",
    "staff/imports/900001/",
    "staff/experiments/?limit={k}",
    "staff/experiments/900001/",
    "staff/judgements/?limit={k}",
    "staff/judgements/900001/",
    "staff/reviews/?limit={k}",
    "staff/reviews/900001/",
]


def bodies(k: int) -> dict[str, Any]:
    """What is sent to each address that takes a body."""
    ids = range(1, k + 1)
    scores = [{"anime_id": pk, "score": 7} for pk in ids]
    seen = [{"list_id": LIST_ID, "anime_id": pk, "kind": "impression"} for pk in ids]
    return {
        "recommendations/": {"ratings": scores, "k": k},
        "predictions/": {"anime_ids": [*ids], "ratings": scores},
        "events/": {"events": seen},
        "me/ratings/": {"anime_id": k, "score": 3},
        "me/ratings/bulk/": {"ratings": scores},
        "me/list/": {"anime_id": k, "status": "dropped"},
        "me/list/bulk/": {"entries": [{"anime_id": pk, "status": "completed"} for pk in ids]},
        "staff/imports/": {"source": "demo"},
        "staff/evaluations/": {"run_id": 900001, "seed": 77},
    }


@pytest.fixture
def boss() -> User:
    """Staff with over a hundred rows of most things, and more of each than queries are allowed."""
    user = factories.staff(username="boss")
    rows = [
        Anime(mal_id=pk, name=f"Anime {pk}", type="TV", episodes=12, score=7.0, members=pk)
        for pk in range(1, N_ANIME + 1)
    ]
    Anime.objects.bulk_create(rows)
    action, _drama = factories.genre("Action"), factories.genre("Drama")
    action.anime.set(rows)
    Rating.objects.bulk_create([Rating(user=user, anime=row, score=8) for row in rows[:N_RATED]])
    ListEntry.objects.bulk_create([ListEntry(user=user, anime=row, status="watching") for row in rows[:N_RATED]])
    TrainingRun.objects.bulk_create([TrainingRun(pk=900_000 + i, family="paper", started_by=user) for i in range(110)])
    TrainingRun.objects.filter(pk=900_001).update(state="ready", has_artifact=True)
    Evaluation.objects.bulk_create([Evaluation(pk=900_000 + i, run_id=900_001, seed=i) for i in range(110)])
    ServedList.objects.create(key=LIST_ID, user=user, anime_ids=[row.pk for row in rows])
    ImportJob.objects.bulk_create([ImportJob(pk=900_000 + i, source="demo", started_by=user) for i in range(110)])
    for number in range(900_001, 900_011):
        experiment = answers.experiment(pk=number)
        experiment.runs.set([900_001])
        contestant, subject = answers.contestant(experiment), answers.subject(experiment, rows[:1])
        judged = answers.scored(contestant, subject, 7, rows[:1], pk=number)
        Review.objects.create(pk=number, item=judged.items.get(), reviewer=user)
    factories.published_history_model({row.pk: [1.0, row.pk / N_ANIME] for row in rows})
    return user


@pytest.fixture(params=["session", "token"])
def client(request: pytest.FixtureRequest, boss: User) -> Client:
    if request.param == "token":
        _, text = make_token(user=boss, name="test", scope="staff", days=1)
        return Client(headers={"Authorization": f"Bearer {text}"})
    client = Client()
    client.force_login(boss)
    return client


def cost(client: Client, address: str, body: Any = None) -> int:
    """How many queries a call makes."""
    with CaptureQueriesContext(connection) as queries:
        if body is None:
            answer = client.get(f"/api/v1/{address}")
        else:
            answer = client.post(f"/api/v1/{address}", body, content_type="application/json")
    assert answer.status_code in (200, 201), answer.content
    asked = [query["sql"] for query in queries if not query["sql"].startswith(TRANSACTIONS)]
    sessions = [sql for sql in asked if 'FROM "django_session"' in sql]
    assert len(sessions) <= 1
    return len(asked) - len(sessions)


def test_no_call_costs_more_than_six_queries(client: Client) -> None:
    client.get("/api/v1/recommendations/?k=1")  # the first loads the catalogue and the model
    costs: dict[str, list[int]] = {}
    for k in (1, 100):
        asked = "&".join(f"anime_ids={pk}" for pk in range(1, k + 1))
        for address in [*READS, "predictions/?" + asked]:
            costs.setdefault(address.partition("?anime_ids")[0], []).append(cost(client, address.format(k=k)))
        for address, body in bodies(k).items():
            costs.setdefault("POST " + address, []).append(cost(client, address, body))
    assert {address: found for address, found in costs.items() if max(found) > MOST} == {}


def test_an_anonymous_list_costs_no_more(boss: User) -> None:
    client = Client()
    client.get("/api/v1/recommendations/?k=1")
    for k in (1, 100):
        assert cost(client, f"recommendations/?k={k}") <= MOST
        assert cost(client, "recommendations/", bodies(k)["recommendations/"]) <= MOST
