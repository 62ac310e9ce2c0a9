"""Lists that the API serves are kept, joined with what became of them, and compared model with model."""

import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from catalog.models import Anime, Rating, User
from recommender.models import ListEvent, ServedList, TrainingRun
from recommender.serving import outcomes
from tests import factories
from tests.queries import at_most

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
JSON = "application/json"


@pytest.fixture
def shelf() -> list[Anime]:
    return [factories.anime(mal_id=i, members=100 - i) for i in range(1, 21)]


@pytest.fixture
def signed_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def say(client: Client, *events: tuple[str, int, str]) -> Any:
    body = {"events": [{"list_id": key, "anime_id": anime, "kind": kind} for key, anime, kind in events]}
    return client.post("/api/v1/events/", body, content_type=JSON)


def test_an_answer_is_kept_under_its_id(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    answer = signed_in.get("/api/v1/recommendations/?k=3").json()
    kept = ServedList.objects.get(key=answer["list_id"])
    assert (kept.user, kept.anime_ids, kept.path) == (user, [1, 2, 3], "cold_start")
    assert [item["model_version"] for item in answer["results"]] == [None] * 3


def test_events_join_lists_once_and_only_those_of_the_caller(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    mine = signed_in.get("/api/v1/recommendations/?k=3").json()["list_id"]
    anybodys = Client().get("/api/v1/recommendations/?k=3").json()["list_id"]
    assert say(signed_in, (mine, 1, "impression"), (mine, 1, "click"), (mine, 1, "click")).json() == {"accepted": 3}
    assert say(Client(), (anybodys, 2, "dismissed")).status_code == 200
    assert ListEvent.objects.count() == 3
    for client in (Client(), other := Client()):
        if client is other:
            client.force_login(factories.user())
        refused = say(client, (anybodys, 1, "click"), (mine, 2, "click"))
        assert [fault["pointer"] for fault in refused.json()["errors"]] == ["#/events/1/list_id"]
    assert say(signed_in, (mine, 9, "click")).status_code == 400
    assert say(signed_in, (mine, 1, "bought")).json()["errors"][0]["pointer"] == "#/events/0/kind"
    assert say(signed_in, (mine.replace(mine[:8], "00000000"), 1, "click")).status_code == 400
    assert ListEvent.objects.count() == 3


def test_the_report_counts_clicks_and_ratings_of_each_model(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    def served(version: str) -> str:
        return str(ServedList.objects.create(user=user, model_version=version, anime_ids=[1, 2, 3, 4]).key)

    old, new = served("history-1"), served("history-2")
    say(signed_in, *[(old, i, "impression") for i in (1, 2, 3, 4)], (old, 2, "click"), (new, 3, "dismissed"))
    Rating.objects.create(user=user, anime=shelf[0], score=9)
    Rating.objects.create(user=user, anime=shelf[1], score=4)
    Rating.objects.create(user=user, anime=shelf[9], score=1)
    Rating.objects.filter(anime=shelf[1]).update(rated_at=timezone.now() + datetime.timedelta(days=8))
    rows, duels = outcomes.report()
    assert duels == []
    found = {row.model_version: row for row in rows}
    assert (found["history-1"].impressions, found["history-1"].clicks) == (4, 1)
    assert found["history-1"].click_rate == 0.25
    # The rating is the later list's; one after more than a week, or of what no list had, is nobody's.
    assert (found["history-1"].rated, found["history-2"].rated) == (0, 1)
    assert (found["history-2"].mean_rating, found["history-2"].dismissed) == (9, 1)
    assert found["history-2"].click_rate is None


def test_two_models_make_a_list_and_are_told_apart(
    signed_in: Client, user: User, shelf: list[Anime], settings: Settings
) -> None:
    rival = factories.published_model({a.pk: [float(20 - a.pk) + 1] for a in shelf}, {user.pk: [1.0]})
    ours = factories.published_model({a.pk: [float(a.pk)] for a in shelf}, {user.pk: [1.0]})
    settings.INTERLEAVED_RUN = rival.pk
    answer = signed_in.get("/api/v1/recommendations/?k=6").json()
    kept = ServedList.objects.get(key=answer["list_id"])
    assert (kept.model_version, kept.rival_version) == (ours.version, rival.version)
    assert sorted(kept.anime_ids) == [1, 2, 3, 18, 19, 20]
    assert [kept.teams[kept.anime_ids.index(i)] for i in (1, 20)] == [1, 0]
    by_anime = {item["anime"]["id"]: item["model_version"] for item in answer["results"]}
    assert (by_anime[1], by_anime[20]) == (rival.version, ours.version)
    second = signed_in.get("/api/v1/recommendations/?k=3&offset=3").json()
    assert [item["anime"]["id"] for item in second["results"]] == kept.anime_ids[3:]
    # A method that was asked for, or a person of whom neither knows anything, gets the list it asked for.
    plain = signed_in.get("/api/v1/recommendations/?method=popularity").json()
    assert ServedList.objects.get(key=plain["list_id"]).teams == []
    assert Client().get("/api/v1/recommendations/").json()["path"] == "cold_start"
    settings.INTERLEAVED_RUN = ours.pk + 99
    assert {i["model_version"] for i in signed_in.get("/api/v1/recommendations/").json()["results"]} == {ours.version}


def test_a_list_of_two_models_costs_no_more_queries(
    signed_in: Client, user: User, shelf: list[Anime], settings: Settings
) -> None:
    rival = factories.published_model({a.pk: [float(a.pk)] for a in shelf}, {user.pk: [1.0]})
    factories.published_model({a.pk: [1.0] for a in shelf}, {user.pk: [1.0]})
    settings.INTERLEAVED_RUN = rival.pk
    signed_in.get("/api/v1/recommendations/")
    for query in ("?k=1", "?k=50&offset=10&sequels=0&genres=action", "?method=two_tower", "?method=popularity"):
        with at_most(6):
            assert signed_in.get(f"/api/v1/recommendations/{query}").status_code == 200


def test_a_duel_is_counted_by_person_and_says_when_it_is_significant() -> None:
    def duel(ours: int, theirs: int, person: User | None = None) -> None:
        made = ServedList.objects.create(
            user=person, model_version="a-1", rival_version="b-2", anime_ids=[1, 2, 3, 4], teams=[0, 1, 0, 1]
        )
        clicked = [1, 3][:ours] + [2, 4][:theirs]
        ListEvent.objects.bulk_create(ListEvent(served_list=made, anime_id=i, kind="click") for i in clicked)

    keen = factories.user()
    for _ in range(10):
        duel(1, 0, keen)
    duel(1, 1)
    (report,) = outcomes.report()[1]
    assert (report.wins, report.losses, report.ties, report.better) == (1, 0, 1, None)
    for _ in range(8):
        duel(0, 2)
    (report,) = outcomes.report()[1]
    assert (report.wins, report.losses) == (1, 8)
    assert report.p_value == pytest.approx(20 / 512)
    assert report.better == "b-2"


def test_old_lists_are_forgotten_with_their_events(client: Client, shelf: list[Anime]) -> None:
    old, new = (client.get("/api/v1/recommendations/?k=1").json()["list_id"] for _ in range(2))
    say(client, (old, 1, "click"), (new, 1, "click"))
    ServedList.objects.filter(key=old).update(created_at=timezone.now() - datetime.timedelta(days=91))
    assert outcomes.forget_old() == 1
    assert ListEvent.objects.get().served_list.key.hex == new.replace("-", "")


def test_staff_see_the_report(client: Client) -> None:
    ServedList.objects.create(model_version="a-1", anime_ids=[1])
    ServedList.objects.create(model_version="a-1", rival_version="b-2", anime_ids=[1], teams=[1])
    ListEvent.objects.create(served_list=ServedList.objects.get(rival_version="b-2"), anime_id=1, kind="click")
    client.force_login(factories.staff())
    page = client.get("/admin/recommender/servedlist/").text
    assert "a-1" in page
    assert "neither, significantly" in page
    assert TrainingRun.objects.count() == 0
