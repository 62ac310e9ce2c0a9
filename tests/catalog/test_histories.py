import pytest

from catalog.histories import read_interactions
from catalog.models import Anime, ListStatus
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def read() -> set[tuple[int, int, int]]:
    users, anime, ratings = read_interactions()
    rows = list(zip(users.tolist(), anime.tolist(), ratings.tolist(), strict=True))
    assert len(set(rows)) == len(rows)
    return set(rows)


def test_accounts_and_members_come_with_ids_that_never_meet() -> None:
    a, b, c, d = (factories.anime().pk for _ in range(4))
    user = factories.user()
    factories.rating(user, Anime.objects.get(pk=a), 9)
    first = factories.member({a: 10, b: -1, c: 1})
    second = factories.member({d: 5})
    assert read() == {
        (user.pk, a, 9),
        (-first.pk, a, 10),
        (-first.pk, b, -1),
        (-first.pk, c, 1),
        (-second.pk, d, 5),
    }


def test_what_was_watched_counts_without_a_rating_and_what_is_planned_does_not() -> None:
    user = factories.user()
    anime = {status: factories.anime() for status in ListStatus}
    for status, one in anime.items():
        factories.list_entry(user, one, status)
    factories.rating(user, anime[ListStatus.COMPLETED], 7)
    assert read() == {
        (user.pk, anime[ListStatus.COMPLETED].pk, 7),
        (user.pk, anime[ListStatus.WATCHING].pk, -1),
        (user.pk, anime[ListStatus.DROPPED].pk, -1),
    }


def test_anime_that_left_the_catalogue_are_left_out() -> None:
    stays, goes = factories.anime(), factories.anime()
    member = factories.member({stays.pk: 8, goes.pk: 9})
    goes.delete()
    assert read() == {(-member.pk, stays.pk, 8)}


def test_an_empty_database_gives_empty_arrays() -> None:
    assert read() == set()


def test_more_members_than_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.histories.MEMBERS_AT_ONCE", 3)
    anime = factories.anime().pk
    members = [factories.member({anime: 1 + i}) for i in range(7)]
    assert read() == {(-member.pk, anime, 1 + i) for i, member in enumerate(members)}
