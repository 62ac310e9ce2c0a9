"""How a program writes: many rows at once, parts of rows, the same call twice; and how it reads what grows."""

from typing import Any

import pytest
from django.test import Client

from catalog.models import Anime, ListEntry, Rating, User
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
JSON = "application/json"


@pytest.fixture
def signed_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def shelf() -> list[Anime]:
    return [factories.anime(f"Shelf {i}", mal_id=i, genres=("Action",)) for i in range(1, 13)]


def test_many_rows_are_written_or_none(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    def bulk(kind: str, field: str, rows: list[dict[str, Any]]) -> Any:
        return signed_in.post(f"/api/v1/me/{kind}/bulk/", {field: rows}, content_type=JSON)

    rows = [{"anime_id": anime.pk, "score": 7} for anime in shelf]
    assert bulk("ratings", "ratings", rows).json() == {"written": 12}
    bad = bulk("ratings", "ratings", [{"anime_id": 1, "score": 1}, {"anime_id": 4444, "score": 1}])
    assert [fault["pointer"] for fault in bad.json()["errors"]] == ["#/ratings/1/anime_id"]
    assert set(Rating.objects.values_list("score", flat=True)) == {7}
    mixed: list[dict[str, Any]] = [{"anime_id": i, "score": None} for i in range(2, 99)]
    mixed.append({"anime_id": 1, "score": 2})
    bulk("ratings", "ratings", mixed)
    assert list(Rating.objects.values_list("anime_id", "score")) == [(1, 2)]
    entries: list[dict[str, Any]] = [{"anime_id": 1, "status": "dropped"}, {"anime_id": 2, "status": None}]
    assert bulk("list", "entries", entries).json() == {"written": 2}
    assert ListEntry.objects.get().status == "dropped"
    assert bulk("list", "entries", [{"anime_id": i, "status": None} for i in range(1, 1001)]).status_code == 200
    assert not ListEntry.objects.exists()
    too_many = bulk("list", "entries", [{"anime_id": i, "status": None} for i in range(1, 1002)])
    assert [fault["pointer"] for fault in too_many.json()["errors"]] == ["#/entries"]


def test_pages_of_what_grows_neither_repeat_nor_miss(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    for anime in shelf:
        factories.rating(user, anime)
    page = signed_in.get("/api/v1/me/ratings/?limit=5").json()
    signed_in.put("/api/v1/me/ratings/1/", {"score": 3}, content_type=JSON)  # now the latest
    seen = [row["anime_id"] for row in page["results"]]
    while page["next"]:
        page = signed_in.get(page["next"]).json()
        seen += [row["anime_id"] for row in page["results"]]
    assert seen == list(range(12, 1, -1))
    assert page["previous"]


def test_a_part_of_a_row_is_changed(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    assert signed_in.patch("/api/v1/me/ratings/3/", {"score": 8}, content_type=JSON).status_code == 404
    factories.rating(user, shelf[2], 5)
    assert signed_in.patch("/api/v1/me/ratings/3/", {}, content_type=JSON).json()["score"] == 5
    assert signed_in.patch("/api/v1/me/ratings/3/", {"score": 8}, content_type=JSON).json()["score"] == 8


@pytest.mark.parametrize(
    "path",
    ["/api/v1/anime/", "/api/v1/anime/1/", "/api/v1/anime/1/similar/", "/api/v1/genres/", "/api/v1/me/ratings/"],
)
def test_what_has_not_changed_is_not_sent_again(signed_in: Client, user: User, shelf: list[Anime], path: str) -> None:
    factories.rating(user, shelf[0])
    first = signed_in.get(path, headers={"Accept-Encoding": "gzip"})
    again = signed_in.get(path, headers={"If-None-Match": first.headers["ETag"], "Accept-Encoding": "gzip"})
    assert (again.status_code, again.content) == (304, b"")
    Anime.objects.update(name="Renamed")
    Rating.objects.update(score=1)
    factories.published_model({anime.pk: [1.0, anime.pk / 10] for anime in shelf})
    factories.genre("Space")
    assert signed_in.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_long_answers_are_compressed(client: Client, shelf: list[Anime]) -> None:
    assert client.get("/api/v1/anime/", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


def test_a_call_that_is_repeated_with_its_key_is_done_once(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    def post(body: Any, key: str, client: Client = signed_in) -> Any:
        headers = {"Idempotency-Key": key}
        return client.post("/api/v1/me/ratings/", body, content_type=JSON, headers=headers)

    body = {"anime_id": 3, "score": 8}
    first = post(body, "a")
    signed_in.put("/api/v1/me/ratings/3/", {"score": 2}, content_type=JSON)
    again = post(body, "a")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Rating.objects.get().score == 2
    assert post({"anime_id": 3, "score": 9}, "a").status_code == 422
    assert post(body, "b").status_code == 201
    assert Rating.objects.get().score == 8
    other = Client()
    other.force_login(factories.user("other"))
    assert "Idempotency-Replayed" not in post(body, "a", client=other).headers
    # An error is not kept: what was missing may be there the next time.
    assert post({"anime_id": 99, "score": 8}, "c").status_code == 400
    factories.anime(mal_id=99)
    assert post({"anime_id": 99, "score": 8}, "c").status_code == 201
    assert post(body, "x" * 101).json()["errors"][0]["pointer"] == "#/Idempotency-Key"


def test_a_body_that_is_too_large_is_refused(signed_in: Client) -> None:
    response = signed_in.post("/api/v1/me/ratings/bulk/", " " * 3_000_000, content_type=JSON)
    assert response.status_code == 413
    assert response.json()["status"] == 413


def test_ratings_are_predicted_for_given_anime(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    ask = "/api/v1/predictions/?anime_ids=2&anime_ids=12,4444"
    cold = signed_in.get(ask).json()
    assert (cold["path"], cold["model_version"]) == ("cold_start", None)
    assert [row["predicted_rating"] for row in cold["results"]] == [None] * 3
    run = factories.published_model({anime.pk: [float(anime.pk)] for anime in shelf}, {user.pk: [1.0]})
    seen = signed_in.get(ask).json()
    assert (seen["path"], seen["model_version"]) == ("seen", run.version)
    assert [(row["anime_id"], row["predicted_rating"]) for row in seen["results"]] == [(2, 2), (12, 10), (4444, None)]
    factories.published_history_model({anime.pk: [1.0, anime.pk / 10] for anime in shelf})
    body = {"anime_ids": [3, 1], "ratings": [{"anime_id": 1, "score": 10}]}
    answer = Client().post("/api/v1/predictions/", body, content_type=JSON).json()
    assert answer["path"] == "unseen"
    assert [row["anime_id"] for row in answer["results"]] == [3, 1]
    assert all(row["predicted_rating"] > 7 for row in answer["results"])


def test_reasons_are_left_out_when_nobody_asks(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    factories.published_model({anime.pk: [1.0, anime.pk / 10] for anime in shelf})
    factories.rating(user, shelf[0], 9)
    reasons = [
        [row["because"] for row in signed_in.get(f"/api/v1/recommendations/?explain={explain}").json()["results"]]
        for explain in ("true", "false")
    ]
    assert all(reasons[0])
    assert not any(reasons[1])
