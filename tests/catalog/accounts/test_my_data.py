"""Import, export and the end of an account, through the whole stack."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalog.models import Anime, ListEntry, Rating, User
from catalog.watchlists.upload import MAX_UPLOAD_BYTES
from tests import factories
from tests.catalog.watchlists.test_watchlists import mal

pytestmark = pytest.mark.django_db
PASSWORD = "Tr0ub4dor&3x"


@pytest.fixture
def person(client: Client) -> User:
    person = factories.user("mika", password=PASSWORD)
    client.force_login(person)
    return person


@pytest.fixture
def shelf() -> list[Anime]:
    return [factories.anime(f"Shelf {i}") for i in range(3)]


def upload(client: Client, content: bytes, name: str = "animelist.xml") -> Any:
    return client.post("/me/data/import/", {"file": SimpleUploadedFile(name, content)}, follow=True)


def test_a_file_is_shown_first_and_then_imported_once(client: Client, person: User, shelf: list[Anime]) -> None:
    page = upload(client, mal(*[(one.pk, 8, "Completed") for one in shelf], (999_999, 5, "Completed")))
    assert "Import 3 anime" in page.text
    assert "999999" in page.text
    assert not Rating.objects.exists()
    token = page.context["upload"].token
    done = client.post("/me/data/import/apply/", {"token": token}, follow=True)
    assert "3 anime imported." in done.text
    assert Rating.objects.filter(user=person, score=8).count() == ListEntry.objects.count() == 3
    again = client.post("/me/data/import/apply/", {"token": token}, follow=True)
    assert "There is no file to import" in again.text
    assert Rating.objects.count() == 3


def test_a_stale_tab_does_not_import_another_file(client: Client, person: User, shelf: list[Anime]) -> None:
    stale = upload(client, mal((shelf[0].pk, 8, "Completed"))).context["upload"].token
    upload(client, mal((shelf[1].pk, 2, "Completed")))
    response = client.post("/me/data/import/apply/", {"token": stale}, follow=True)
    assert "You have chosen another file since" in response.text
    assert not Rating.objects.exists()


def test_what_i_have_can_stay(client: Client, person: User, shelf: list[Anime]) -> None:
    factories.rating(person, shelf[0], 3)
    token = upload(client, mal((shelf[0].pk, 8, "Completed"))).context["upload"].token
    assert client.get("/me/data/import/?keep=mine").context["report"].changed[0].score == 3
    client.post("/me/data/import/apply/", {"token": token, "keep": "mine"})
    assert Rating.objects.get().score == 3


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "Choose a file first."),
        ({"file": "no file"}, "Choose a file first."),
        ({"file": SimpleUploadedFile("a.xml", b"<html/>")}, "not an anime list"),
        ({"file": SimpleUploadedFile("a.xml", b"x" * (MAX_UPLOAD_BYTES + 1))}, "larger than 8 MB"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_beside_the_field(
    client: Client, person: User, files: dict[str, object], message: str
) -> None:
    response = client.post("/me/data/import/", files)
    assert response.status_code == 400
    assert message in response.text
    assert 'aria-invalid="true"' in response.text


@pytest.mark.parametrize(("kind", "holds"), [("csv", "anime_id,title"), ("json", '"score": 9'), ("xml", "<my_score>9")])
def test_exports_are_files_of_ones_own(client: Client, person: User, shelf: list[Anime], kind: str, holds: str) -> None:
    factories.rating(person, shelf[0], 9)
    factories.rating(factories.user(), shelf[1], 9)
    response = client.get(f"/me/data/export.{kind}")
    assert f".{kind}" in response["Content-Disposition"]
    assert "no-store" in response["Cache-Control"]
    assert holds in response.text
    assert "Shelf 0" in response.text
    assert "Shelf 1" not in response.text


def test_there_is_no_other_kind_of_export(client: Client, person: User) -> None:
    assert client.get("/me/data/export.exe").status_code == 404


@pytest.mark.parametrize("path", ["/me/data/", "/me/data/import/", "/me/data/export.csv", "/me/delete/"])
def test_a_visitor_signs_in_first(client: Client, path: str) -> None:
    assert client.get(path)["Location"].startswith("/accounts/login/?next=/me/")


def test_an_account_goes_with_all_that_is_its_owners(client: Client, person: User, shelf: list[Anime]) -> None:
    other = factories.user()
    for user in (person, other):
        factories.rating(user, shelf[0], 9)
        factories.list_entry(user, shelf[1])
    upload(client, mal((shelf[0].pk, 8, "Completed")))
    asked = client.post("/me/delete/")["Location"]
    assert asked.startswith("/accounts/reauthenticate/")
    assert client.post(asked, {"password": "wrong"}).status_code == 200
    assert User.objects.filter(pk=person.pk).exists()
    done = client.post(asked, {"password": PASSWORD}, follow=True)
    assert "are deleted" in done.text
    assert not done.wsgi_request.user.is_authenticated
    assert list(User.objects.all()) == [other]
    assert [Rating.objects.get().user, ListEntry.objects.get().user] == [other, other]


def test_guessing_the_password_is_slowed_down(client: Client, person: User) -> None:
    asked = client.get("/me/delete/")["Location"]
    answers = [client.post(asked, {"password": "wrong"}).status_code for _ in range(12)]
    assert answers[0] == 200
    assert answers[-1] == 429
