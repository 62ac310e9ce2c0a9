"""What a program gets from the API, and what it is told when it asks wrongly."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

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
    return [
        factories.anime(
            f"Shelf {'abcdefghijkl'[i - 1]}",
            mal_id=i,
            members=1000 - i,
            score=9 - i * 0.1,
            genres=("Action", "Drama")[: i % 2 + 1],
        )
        for i in range(1, 13)
    ]


def ids(response: Any) -> list[int]:
    return [row["id"] for row in response.json()["results"]]


def test_the_catalogue_is_searched_filtered_sorted_and_paged(client: Client, shelf: list[Anime]) -> None:
    assert ids(client.get("/api/v1/anime/?limit=3")) == [1, 2, 3]
    assert ids(client.get("/api/v1/anime/?limit=3&offset=3")) == [4, 5, 6]
    assert ids(client.get("/api/v1/anime/?genre=drama,action&limit=2")) == [1, 3]
    assert ids(client.get("/api/v1/anime/?without_genre=drama&limit=2")) == [2, 4]
    assert ids(client.get("/api/v1/anime/?min_score=8.7")) == [1, 2, 3]
    assert 7 in ids(client.get("/api/v1/anime/?q=shelf g"))
    assert ids(client.get("/api/v1/anime/?q=shelf&genre=drama&limit=2&offset=1")) == [3, 5]
    assert ids(client.get("/api/v1/anime/?q=shelf&ordering=title&limit=2")) == [1, 2]
    assert ids(client.get("/api/v1/anime/?type=Movie")) == []
    assert ids(client.get("/api/v1/anime/?min_episodes=13")) == []
    assert ids(client.get("/api/v1/anime/?ordering=title&limit=3")) == [1, 2, 3]


def test_an_anime_has_its_facts(client: Client, shelf: list[Anime]) -> None:
    facts = client.get("/api/v1/anime/1/").json()
    assert facts["name"] == "Shelf a"
    assert facts["genres"] == [{"slug": "action", "name": "Action"}, {"slug": "drama", "name": "Drama"}]


@pytest.mark.parametrize("path", ["/api/v1/anime/999999/", "/api/v1/anime/99999999999999999999/", "/api/v1/nothing/"])
def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_adult_titles_are_for_those_who_asked(signed_in: Client, user: User) -> None:
    factories.anime("Adult", mal_id=66, genres=("Hentai",))
    addresses = ["/api/v1/anime/66/", "/api/v1/anime/66/similar/"]
    assert [signed_in.get(address).status_code for address in addresses] == [404, 404]
    assert ids(signed_in.get("/api/v1/anime/?q=adult")) == []
    assert signed_in.get("/api/v1/genres/").json() == []
    rated = signed_in.post("/api/v1/me/ratings/", {"anime_id": 66, "score": 8}, content_type=JSON)
    assert rated.status_code == 400
    signed_in.patch("/api/v1/me/", {"shows_adult": True}, content_type=JSON)
    assert [signed_in.get(address).status_code for address in addresses] == [200, 200]
    assert ids(signed_in.get("/api/v1/anime/?q=adult")) == [66]


def test_a_rating_is_written_replaced_and_taken_back(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    assert signed_in.post("/api/v1/me/ratings/", {"anime_id": 3, "score": 8}, content_type=JSON).status_code == 201
    assert signed_in.put("/api/v1/me/ratings/3/", {"score": 4}, content_type=JSON).json()["score"] == 4
    assert [row["score"] for row in signed_in.get("/api/v1/me/ratings/").json()["results"]] == [4]
    assert signed_in.delete("/api/v1/me/ratings/3/").status_code == 204
    assert signed_in.delete("/api/v1/me/ratings/3/").status_code == 404
    assert not Rating.objects.exists()


def test_pages_join_where_thousands_of_rows_have_one_time(signed_in: Client, user: User) -> None:
    Anime.objects.bulk_create([Anime(mal_id=pk, name=f"Anime {pk}") for pk in range(1, 1301)])
    Rating.objects.bulk_create([Rating(user=user, anime_id=pk, score=5) for pk in range(1, 1301)])
    Rating.objects.update(rated_at=timezone.now())
    page = signed_in.get("/api/v1/me/ratings/?limit=100").json()
    met = [row["anime_id"] for row in page["results"]]
    while page["next"] and len(met) < 1300:
        page = signed_in.get(page["next"]).json()
        met += [row["anime_id"] for row in page["results"]]
    assert page["next"] is None
    assert sorted(met) == list(range(1, 1301))


def test_a_list_entry_is_written_and_replaced(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    signed_in.put("/api/v1/me/list/3/", {"status": "watching"}, content_type=JSON)
    signed_in.put("/api/v1/me/list/3/", {"status": "dropped"}, content_type=JSON)
    assert ListEntry.objects.get().status == "dropped"


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("post", "/api/v1/me/ratings/", {"anime_id": 3, "score": 11}, "#/score"),
        ("post", "/api/v1/me/ratings/", {"anime_id": 3, "score": "many"}, "#/score"),
        ("post", "/api/v1/me/ratings/", {"anime_id": 10**12, "score": 5}, "#/anime_id"),
        ("post", "/api/v1/me/ratings/", {"anime_id": 4444, "score": 5}, "#/anime_id"),
        ("post", "/api/v1/me/ratings/", [1, 2], "#"),
        ("put", "/api/v1/me/list/3/", {"status": "loved"}, "#/status"),
        ("post", "/api/v1/recommendations/", {"ratings": [{"anime_id": 1, "score": 0}]}, "#/ratings/0/score"),
        ("post", "/api/v1/recommendations/", {"ratings": [{"anime_id": 1, "score": 5}] * 2}, "#/ratings"),
        ("post", "/api/v1/recommendations/", {"ratings": [], "k": 101}, "#/k"),
        ("get", "/api/v1/recommendations/?method=magic", None, "#/method"),
        ("get", "/api/v1/recommendations/?method=two_tower", None, "#/method"),
        ("get", "/api/v1/recommendations/?genres=no-such", None, "#/genres"),
        ("get", "/api/v1/recommendations/?types=Opera", None, "#/types"),
        ("get", "/api/v1/recommendations/?diversity=nan", None, "#/diversity"),
        ("get", "/api/v1/recommendations/?novelty=1.1", None, "#/novelty"),
        ("get", "/api/v1/recommendations/?min_year=2005&max_year=2004", None, "#/max_year"),
        ("get", "/api/v1/recommendations/?offset=501", None, "#/offset"),
        ("get", "/api/v1/recommendations/?exclude=1,x", None, "#/exclude/1"),
        ("post", "/api/v1/recommendations/", {"ratings": [], "genres": ["no-such"]}, "#/genres"),
        ("get", "/api/v1/anime/?min_score=high", None, "#/min_score"),
        ("get", "/api/v1/anime/?genre=action,no-such", None, "#/genre"),
        ("get", "/api/v1/anime/?without_genre=no-such", None, "#/without_genre"),
        ("get", "/api/v1/anime/?genre=a,b,c,d,e,f,g,h,i", None, "#/genre"),
        ("get", "/api/v1/anime/?q=a%00b", None, "#/q"),
        ("get", "/api/v1/anime/?limit=abc", None, "#/limit"),
        ("get", "/api/v1/anime/?limit=101", None, "#/limit"),
        ("get", "/api/v1/anime/?offset=-1", None, "#/offset"),
        ("get", "/api/v1/anime/1/similar/?k=0", None, "#/k"),
        ("get", "/api/v1/me/ratings/?cursor=zzz", None, "#/cursor"),
        ("get", "/api/v1/me/ratings/?cursor=cD0x", None, "#/cursor"),
        ("get", "/api/v1/me/list/?limit=0", None, "#/limit"),
        ("get", "/api/v1/predictions/", None, "#/anime_ids"),
        ("get", "/api/v1/predictions/?anime_ids=1&anime_ids=x", None, "#/anime_ids/1"),
        ("get", "/api/v1/predictions/?anime_ids=1,2,x", None, "#/anime_ids/2"),
        ("post", "/api/v1/predictions/", {"anime_ids": 5, "ratings": []}, "#/anime_ids"),
        ("post", "/api/v1/me/ratings/bulk/", {"ratings": [{"anime_id": 1, "score": 5}] * 2}, "#/ratings"),
        ("post", "/api/v1/me/list/bulk/", {"entries": [{"anime_id": 1, "status": "x"}]}, "#/entries/0/status"),
        ("patch", "/api/v1/me/ratings/3/", {"score": 0}, "#/score"),
    ],
)
def test_a_wrong_request_is_answered_with_a_pointer_to_the_fault(
    signed_in: Client, shelf: list[Anime], method: str, path: str, body: Any, pointer: str
) -> None:
    response = getattr(signed_in, method)(path, *([body] if body is not None else []), content_type=JSON)
    assert response.status_code == 400, response.content
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (problem["status"], problem["title"]) == (400, "Bad Request")
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]


def test_broken_json_and_other_media_types_are_refused(signed_in: Client) -> None:
    broken = signed_in.post("/api/v1/me/ratings/", "{", content_type=JSON)
    assert broken.status_code == 400
    assert "JSON" in broken.json()["detail"]
    assert signed_in.post("/api/v1/me/ratings/", "<a/>", content_type="text/xml").status_code == 415
    assert signed_in.delete("/api/v1/anime/").status_code == 405


@pytest.mark.parametrize("address", ["/api/v1/recommendations/", "/api/v1/me/ratings/"])
@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"method": "\\ud800", "ratings": [], "anime_id": "\\ud800", "score": 1}']
)
def test_hostile_json_is_refused_as_a_problem(signed_in: Client, address: str, body: str) -> None:
    response = signed_in.post(address, body, content_type=JSON)
    assert response.status_code == 400
    assert response.json()["status"] == 400


@pytest.mark.parametrize("address", ["anime/", "recommendations/", "genres/"])
def test_a_query_without_end_is_refused_as_a_problem(client: Client, address: str) -> None:
    response = client.get(f"/api/v1/{address}?" + "&".join(["k=1"] * 1001))
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/problem+json")
    assert response.json()["detail"] == "The query has more than 1000 parameters."


@pytest.mark.parametrize("address", ["/api/nothing", "/api/v1/nothing/", "/api/v2/anime/"])
def test_an_unknown_address_is_a_problem_too(client: Client, address: str) -> None:
    for response in (client.get(address), client.post(address)):
        assert response.status_code == 404
        assert response.headers["Content-Type"] == "application/problem+json"


def test_similar_anime_come_most_alike_first(client: Client, shelf: list[Anime]) -> None:
    factories.published_model({anime.pk: [1.0, anime.pk / 10] for anime in shelf})
    answer = client.get("/api/v1/anime/12/similar/").json()
    assert [row["id"] for row in answer] == list(range(11, 0, -1))


def test_recommendations_say_where_they_come_from(signed_in: Client, user: User, shelf: list[Anime]) -> None:
    cold = signed_in.get("/api/v1/recommendations/?k=2").json()
    assert (cold["path"], cold["method"], cold["model_version"]) == ("cold_start", "popularity", None)
    assert [item["rank"] for item in cold["results"]] == [1, 2]
    run = factories.published_model({anime.pk: [1.0, anime.pk / 10] for anime in shelf})
    factories.rating(user, shelf[0], 9)
    personal = signed_in.get("/api/v1/recommendations/?k=100").json()
    assert (personal["path"], personal["model_version"]) == ("unseen", run.version)
    assert len(personal["results"]) == 11
    assert personal["results"][0]["because"] == [{"anime_id": 1, "name": "Shelf a"}]


def test_a_list_is_narrowed_in_query_and_body(client: Client, shelf: list[Anime]) -> None:
    def found(response: Any) -> list[tuple[int, int]]:
        return [(item["rank"], item["anime"]["id"]) for item in response.json()["results"]]

    wanted: dict[str, Any] = {"genres": ["drama", "action"], "min_score": 8, "types": ["TV"], "k": 2}
    by_query = client.get("/api/v1/recommendations/", {**wanted, "genres": "drama,action"})
    by_body = client.post("/api/v1/recommendations/", {"ratings": [], **wanted}, content_type=JSON)
    assert found(by_query) == found(by_body) == [(1, 1), (2, 3)]
    assert found(client.get("/api/v1/recommendations/", {"k": 2, "offset": 2})) == [(3, 3), (4, 4)]


def test_anime_are_left_out_by_their_ids(client: Client, shelf: list[Anime]) -> None:
    def found(response: Any) -> list[int]:
        return [item["anime"]["id"] for item in response.json()["results"]]

    factories.published_model({anime.pk: [1.0, anime.pk / 10] for anime in shelf})
    address, asked = "/api/v1/recommendations/", {"ratings": [{"anime_id": 1, "score": 9}], "k": 2}
    first, _second = found(client.post(address, asked, content_type=JSON))
    assert first not in found(client.post(address, {**asked, "exclude": [first, 4444]}, content_type=JSON))
    assert found(client.get(address + "?k=2&exclude=1,3")) == [2, 4]
    assert found(client.get(address + "?k=2&exclude=1&exclude=2")) == [3, 4]


def test_ratings_in_the_request_give_a_list_without_an_account(client: Client, shelf: list[Anime]) -> None:
    factories.published_model({anime.pk: [1.0, anime.pk / 10] for anime in shelf})
    body = {"ratings": [{"anime_id": 1, "score": 9}, {"anime_id": 2, "score": 3}], "k": 5}
    answer = client.post("/api/v1/recommendations/", body, content_type=JSON).json()
    assert answer["path"] == "unseen"
    assert not {1, 2} & {item["anime"]["id"] for item in answer["results"]}
    assert not Rating.objects.exists()


def test_too_many_requests_are_told_when_to_come_back(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rest_framework.throttling.AnonRateThrottle.rate", "2/min", raising=False)
    answers = [client.get("/api/v1/genres/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
