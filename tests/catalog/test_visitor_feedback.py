"""What a visitor without an account says is kept, also when a browser sends many requests at once."""

import importlib
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone

from catalog import feedback
from catalog.accounts import adapter
from catalog.models import Anime, Rating, User, VisitorEntry
from common.sessions import SessionStore
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
HTMX = {"HX-Request": "true"}
PASSWORD = "Tr0ub4dor&3x"


def visitor(anime: Anime) -> Client:
    """A visitor who has rated one anime."""
    client = Client()
    assert client.post(f"/anime/{anime.pk}/rate/", {"score": "10"}, headers=HTMX).status_code == 200
    return client


def same_visitor(client: Client) -> Client:
    other = Client()
    other.cookies["sessionid"] = client.cookies["sessionid"].value
    return other


def at_once(calls: Sequence[Callable[[], None]]) -> None:
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], None]) -> None:
        start.wait()
        try:
            call()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rating(client: Client, anime: Anime, score: int, acknowledged: dict[int, int]) -> Callable[[], None]:
    def call() -> None:
        answer = same_visitor(client).post(f"/anime/{anime.pk}/rate/", {"score": str(score)}, headers=HTMX)
        if answer.status_code == 200:
            acknowledged[anime.pk] = score

    return call


def test_ratings_that_are_sent_at_once_are_all_kept() -> None:
    shelf = [factories.anime() for _ in range(21)]
    client = visitor(shelf[0])
    acknowledged = {shelf[0].pk: 10}
    at_once([rating(client, anime, 1 + anime.pk % 10, acknowledged) for anime in shelf[1:]])
    assert len(acknowledged) == 21
    assert dict(VisitorEntry.objects.values_list("anime_id", "score")) == acknowledged


def test_ratings_that_race_a_log_in_are_in_the_account_or_were_refused(user: User) -> None:
    user.set_password(PASSWORD)
    user.save()
    shelf = [factories.anime() for _ in range(12)]
    client = visitor(shelf[0])
    acknowledged = {shelf[0].pk: 10}

    def log_in() -> None:
        same_visitor(client).post("/accounts/login/", {"login": user.username, "password": PASSWORD})

    at_once([log_in, *(rating(client, anime, 7, acknowledged) for anime in shelf[1:])])
    assert dict(Rating.objects.values_list("anime_id", "score")) == acknowledged
    assert not VisitorEntry.objects.exists()


def test_a_request_of_a_visit_that_ended_is_refused_and_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    anime = factories.anime()
    client = visitor(anime)
    load = SessionStore.load

    def load_before_another_tab_signs_in(store: SessionStore) -> dict[str, object]:
        data = load(store)
        Session.objects.all().delete()
        return data

    with monkeypatch.context() as patch:
        patch.setattr(SessionStore, "load", load_before_another_tab_signs_in)
        refused = client.post(f"/anime/{anime.pk}/rate/", {"score": "3"}, headers=HTMX)
    assert refused.status_code == 400
    assert "reload the page and try again" in refused.text
    assert client.post(f"/anime/{anime.pk}/rate/", {"score": "3"}, headers=HTMX).status_code == 200
    assert VisitorEntry.objects.get().score == 3


def test_a_log_in_that_fails_halfway_leaves_the_visit_as_it_was(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = visitor(factories.anime())
    request = RequestFactory().post("/accounts/login/")
    request.session = SessionStore(client.cookies["sessionid"].value)

    def dies(*arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("allauth.account.adapter.DefaultAccountAdapter.login", dies)
    with pytest.raises(RuntimeError):
        adapter.AccountAdapter().login(request, user)
    assert VisitorEntry.objects.count() == 1
    assert not user.ratings.exists()


def test_a_score_and_a_list_of_one_anime_are_apart_and_taken_back_apart() -> None:
    anime = factories.anime()
    client = visitor(anime)
    client.post(f"/anime/{anime.pk}/status/", {"status": "watching"})
    client.post(f"/anime/{anime.pk}/rate/", {"score": "4"})
    assert set(VisitorEntry.objects.values_list("score", "status")) == {(4, ""), (None, "watching")}
    client.post(f"/anime/{anime.pk}/rate/", {"score": ""})
    assert set(VisitorEntry.objects.values_list("score", "status")) == {(None, "watching")}
    client.post(f"/anime/{anime.pk}/status/", {"status": ""})
    assert not VisitorEntry.objects.exists()


def test_the_latest_score_comes_last() -> None:
    shelf = [factories.anime() for _ in range(3)]
    client = visitor(shelf[0])
    for anime in (shelf[1], shelf[2], shelf[0]):
        client.post(f"/anime/{anime.pk}/rate/", {"score": "5"})
    request = RequestFactory().get("/")
    request.session = SessionStore(client.cookies["sessionid"].value)
    request.user = None  # type: ignore[assignment]  # a visitor
    assert list(feedback.feedback_of(request).ratings) == [shelf[1].pk, shelf[2].pk, shelf[0].pk]


def test_a_visit_that_has_expired_is_forgotten_and_one_that_is_used_lasts() -> None:
    anime = factories.anime()
    client = visitor(anime)
    soon = timezone.now() + timedelta(days=2)
    Session.objects.update(expire_date=soon)
    client.post(f"/anime/{anime.pk}/rate/", {"score": "5"})
    assert Session.objects.get().expire_date > soon + timedelta(days=10)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert 'aria-pressed="true"' not in client.get(anime.get_absolute_url()).text
    call_command("clearsessions")
    assert not VisitorEntry.objects.exists()


def test_what_two_requests_change_in_a_session_is_all_kept() -> None:
    first = SessionStore()
    first.update({"kept": 1, "removed": 1, "changed": 1})
    first.save()
    second = SessionStore(first.session_key)
    third = SessionStore(first.session_key)
    assert (second["kept"], third["kept"]) == (1, 1)
    second["changed"] = 2
    del second["removed"]
    third["new"] = [3]
    second.save()
    third.save()
    expected = {"kept": 1, "changed": 2, "new": [3]}
    again = SessionStore(first.session_key)
    assert dict(again.items()) == expected
    assert again.decode(Session.objects.get().session_data) == expected


def test_a_cookie_that_no_site_made_is_no_session() -> None:
    anime = factories.anime()
    client = Client()
    client.cookies["sessionid"] = '"aaaaaaaa\\000aaaa"'
    assert client.get(anime.get_absolute_url()).status_code == 200
    assert client.post(f"/anime/{anime.pk}/rate/", {"score": "5"}, headers=HTMX).status_code == 200


def test_what_was_kept_in_sessions_is_moved_to_rows() -> None:
    anime, hidden = factories.anime(), factories.anime()
    ended, store = SessionStore(), SessionStore()
    said = {"ratings": {str(anime.pk): 8, "999999": 3}, "statuses": {str(hidden.pk): "not_interested"}}
    for one in (ended, store):
        one["visitor"] = said
        one.save()
    Session.objects.filter(pk=ended.session_key).update(expire_date=timezone.now() - timedelta(days=1))
    importlib.import_module("catalog.migrations.0008_visitor_entries").move_from_sessions(apps, None)
    rows = VisitorEntry.objects.values_list("session", "anime", "score", "status")
    assert set(rows) == {
        (store.session_key, anime.pk, 8, ""),
        (store.session_key, hidden.pk, None, "not_interested"),
    }
