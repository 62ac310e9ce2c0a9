"""What stands beside an anime: franchise, content, and what people who liked it also liked."""

from datetime import date

import pytest
from django.test import Client

from catalog.models import ADULT_GENRE, MemberScores, User
from catalog.taste.also_liked import LEAST_PEOPLE, also_liked
from catalog.taste.distribution import of_anime, of_members, shares
from recommender.serving.anime_arrays import catalogue
from recommender.serving.shelves import related
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
HTMX = {"HX-Request": "true"}


def test_a_franchise_stands_in_the_order_in_which_it_aired() -> None:
    third = factories.anime("Zeta Saga Movie 2", aired_from=date(2009, 1, 1))
    first = factories.anime("Zeta Saga", aired_from=date(2001, 1, 1))
    second = factories.anime("Zeta Saga: Return", aired_from=date(2004, 1, 1))
    undated = factories.anime("Zeta Saga Specials")
    factories.anime("Zeta Saga: Nights", genres=(ADULT_GENRE,), aired_from=date(2002, 1, 1))
    factories.anime("Another", aired_from=date(2003, 1, 1))
    found = related.franchise(catalogue(), second.pk, shows_adult=False)
    assert found == (first.pk, second.pk, third.pk, undated.pk)
    assert len(related.franchise(catalogue(), second.pk, shows_adult=True)) == 5


def test_content_is_alike_by_the_rarer_genres_and_never_adult() -> None:
    for i in range(20):
        factories.anime(f"Common {i}", genres=("Action",))
    one = factories.anime("One", genres=("Action", "Cars"))
    rare = factories.anime("Rare", genres=("Cars",), members=10)
    factories.anime("Adult", genres=("Action", "Cars", ADULT_GENRE))
    found = related.alike_in_content(catalogue(), one.pk, k=3, shows_adult=False)
    assert found[0] == rare.pk
    assert len(found) == 3
    bare = factories.anime("Bare", genres=())
    assert related.alike_in_content(catalogue(), bare.pk, k=3, shows_adult=False) == ()


def test_also_liked_counts_people_and_names_nobody_alone() -> None:
    liked, loved_by_all, together, rare, other = (factories.anime() for _ in range(5))
    for i in range(12):
        history = {loved_by_all.pk: 9, liked.pk: 9, together.pk: 8} if i < LEAST_PEOPLE else {loved_by_all.pk: 9}
        factories.member(history | ({rare.pk: 10} if i == 0 else {}) | ({other.pk: 7} if i < 9 else {}))
    dataset = factories.dataset()
    for anime, count in ((loved_by_all, 12), (together, LEAST_PEOPLE)):
        MemberScores.objects.create(dataset=dataset, anime=anime, counts=[0] * 8 + [count, 0])
    assert also_liked(liked.pk, version="1") == [together.pk, loved_by_all.pk]
    assert also_liked(rare.pk, version="1") == []
    for _ in range(LEAST_PEOPLE):
        person = factories.user()
        factories.rating(person, rare, 8)
        factories.rating(person, other, 10)
    assert also_liked(rare.pk, version="1") == []  # kept
    assert also_liked(rare.pk, version="2") == [other.pk]


def test_the_distribution_is_of_members_and_accounts(client: Client, user: User) -> None:
    anime = factories.anime()
    MemberScores.objects.create(dataset=factories.dataset(), anime=anime, counts=[0] * 7 + [2, 0, 1])
    factories.rating(user, anime, 10)
    assert of_anime(anime.pk) == (0, 0, 0, 0, 0, 0, 0, 2, 0, 2)
    assert of_members() == (0, 0, 0, 0, 0, 0, 0, 2, 0, 1)
    assert shares(of_anime(anime.pk))[7] == 0.5
    client.force_login(user)
    page = client.get(anime.get_absolute_url()).text
    assert "4 people scored it here." in page
    assert 'class="chart-bar chart-2"' in page  # one's own


def test_an_anime_that_nobody_scored_has_no_picture(client: Client) -> None:
    assert "How people score it" not in client.get(factories.anime().get_absolute_url()).text


def test_the_shelves_are_a_part_for_htmx_and_a_page_without_script(client: Client) -> None:
    one = factories.anime("Zeta Saga", genres=("Cars",))
    factories.anime("Zeta Saga: Return", genres=("Cars",))
    factories.anime("Wheels", genres=("Cars",))
    address = f"/anime/{one.pk}/similar/"
    part = client.get(address, headers=HTMX)
    assert [shelf.key for shelf in part.context["shelves"]] == ["franchise", "content"]
    assert [card.anime.name for card in part.context["shelves"][1].cards] == ["Wheels"]
    assert "<html" not in part.text
    assert "<html" in client.get(address).text
