"""A reviewer's queue: what comes next, what is kept, and that no anime is reviewed more often than was asked for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.accounts.groups import REVIEWER, TRAINER, VIEWER
from catalog.models import User
from evaluation.judging.models import Experiment, ItemScore, Review
from evaluation.judging.review import reviewing
from tests import factories
from tests.evaluation.judging import answers
from tests.evaluation.judging.answers import reviewer
from tests.queries import at_most

pytestmark = pytest.mark.django_db
State = Review.State


def member_of(group: str) -> User:
    person = factories.user(group.lower(), is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    return person


@pytest.fixture
def experiment() -> Experiment:
    """Two people with three lists of three anime each: 18 to review."""
    return answers.small(n_people=2)


def begun(person: User, experiment: Experiment) -> Review:
    review = reviewing.next_review(reviewer=person, experiment=experiment)
    assert review is not None
    return review


def finish(person: User, experiment: Experiment, score: int = 7) -> Review:
    review = begun(person, experiment)
    reviewing.rate(review=review, score=score)
    reviewing.conclude(review=review, agrees=True)
    return review


def test_everything_comes_once_and_then_nothing(experiment: Experiment) -> None:
    person = reviewer()
    seen = [finish(person, experiment).item_id for _ in range(18)]
    assert sorted(seen) == sorted(ItemScore.objects.values_list("pk", flat=True))
    assert seen != sorted(seen)  # mixed over lists and places
    assert reviewing.next_review(reviewer=person, experiment=experiment) is None
    assert reviewing.queues(person) == [(experiment, 18, 0)]


def test_what_was_begun_comes_back_until_it_is_finished(experiment: Experiment) -> None:
    person = reviewer()
    review = begun(person, experiment)
    assert begun(person, experiment) == review
    reviewing.rate(review=review, score=3)
    assert begun(person, experiment) == review
    reviewing.conclude(review=review, agrees=False, comment="Too kind")
    assert begun(person, experiment) != review
    review.refresh_from_db()
    assert (review.state, review.score, review.agrees, review.comment) == (State.DONE, 3, False, "Too kind")


def test_an_own_score_stays_as_it_was_before_the_judges_was_shown(experiment: Experiment) -> None:
    review = begun(reviewer(), experiment)
    with pytest.raises(reviewing.NotPossible, match="assigned already"):
        reviewing.conclude(review=review, agrees=True)
    for score in (0, 11):
        with pytest.raises(reviewing.NotPossible, match="from 1 to 10"):
            reviewing.rate(review=review, score=score)
    reviewing.rate(review=review, score=3)
    with pytest.raises(reviewing.NotPossible, match="rated already"):
        reviewing.rate(review=review, score=9)
    with pytest.raises(reviewing.NotPossible):
        reviewing.skip(review=review)
    with pytest.raises(reviewing.NotPossible, match="2000 characters"):
        reviewing.conclude(review=review, agrees=True, comment="x" * 2001)
    review.refresh_from_db()
    assert (review.state, review.score) == (State.RATED, 3)


def test_what_was_skipped_is_somebody_elses(experiment: Experiment) -> None:
    one, other = reviewer("one"), reviewer("other")
    skipped = begun(one, experiment)
    reviewing.skip(review=skipped)
    assert {finish(one, experiment).item_id for _ in range(17)}.isdisjoint({skipped.item_id})
    assert reviewing.next_review(reviewer=one, experiment=experiment) is None
    assert finish(other, experiment).item_id == skipped.item_id


def test_each_anime_gets_as_many_reviewers_as_were_asked_for(experiment: Experiment) -> None:
    Experiment.objects.update(reviewers_per_item=2)
    experiment.refresh_from_db()
    people = [reviewer(f"reviewer {number}") for number in range(3)]
    for person in people[:2]:
        assert len({finish(person, experiment).item_id for _ in range(18)}) == 18
    assert reviewing.next_review(reviewer=people[2], experiment=experiment) is None


def test_what_is_left_lying_is_free_after_a_day(experiment: Experiment) -> None:
    left = begun(reviewer("one"), experiment)
    other = reviewer("other")
    assert len({finish(other, experiment).item_id for _ in range(17)}) == 17
    assert reviewing.next_review(reviewer=other, experiment=experiment) is None
    Review.objects.filter(pk=left.pk).update(assigned_at=timezone.now() - timedelta(hours=25))
    assert begun(other, experiment).item_id == left.item_id


@pytest.mark.django_db(transaction=True)
def test_people_who_begin_at_once_get_different_anime() -> None:
    experiment = answers.small(n_people=2)
    people = [reviewer(f"reviewer {number}") for number in range(6)]

    def take(person: User) -> list[int]:
        try:
            return [finish(person, experiment).item_id for _ in range(3)]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        taken = [item for items in pool.map(take, people) for item in items]
    assert len(set(taken)) == len(taken) == 18


# The pages


@pytest.mark.parametrize(("group", "status"), [(REVIEWER, 200), (TRAINER, 403), (VIEWER, 403)])
def test_who_may_review(client: Client, experiment: Experiment, group: str, status: int) -> None:
    client.force_login(member_of(group))
    assert client.get(reverse("reviews")).status_code == status
    assert client.get(reverse("review", args=[experiment.pk])).status_code == status


def test_a_visitor_signs_in_first(client: Client, experiment: Experiment) -> None:
    assert client.get(reverse("review", args=[experiment.pk])).headers["Location"].startswith("/accounts/login/")


def test_the_judges_score_shows_after_ones_own_and_not_before(client: Client, experiment: Experiment) -> None:
    client.force_login(reviewer())
    page = reverse("review", args=[experiment.pk])
    blind = client.get(page).content.decode()
    review = Review.objects.get()
    assert review.item.explanation not in blind
    assert "The judge</dt>" not in blind
    address = reverse("review-answer", args=[experiment.pk, review.pk])
    assert client.post(address, {"score": "7"}).headers["Location"] == page
    shown = client.get(page).content.decode()
    assert review.item.explanation in shown
    assert f"<dt>The judge</dt><dd>{review.item.score}</dd>" in shown
    client.post(address, {"agrees": "no", "comment": " too high "})
    review.refresh_from_db()
    assert (review.state, review.score, review.agrees, review.comment) == (State.DONE, 7, False, "too high")


@pytest.mark.parametrize("said", [{"score": "x"}, {"score": "11"}, {"score": ""}, {"agrees": "maybe"}, {}])
def test_what_makes_no_sense_is_said_and_changes_nothing(
    client: Client, experiment: Experiment, said: dict[str, str]
) -> None:
    client.force_login(reviewer())
    client.get(reverse("review", args=[experiment.pk]))
    review = Review.objects.get()
    response = client.post(reverse("review-answer", args=[experiment.pk, review.pk]), said, follow=True)
    assert 'class="message error"' in response.content.decode()
    review.refresh_from_db()
    assert review.state == State.ASSIGNED


def test_nobody_answers_for_somebody_else(client: Client, experiment: Experiment) -> None:
    review = begun(reviewer("one"), experiment)
    client.force_login(reviewer("other"))
    address = reverse("review-answer", args=[experiment.pk, review.pk])
    assert client.post(address, {"score": "1"}).status_code == 404
    review.refresh_from_db()
    assert review.score is None


def test_a_page_asks_no_more_of_the_database_for_more_anime(client: Client) -> None:
    experiment = answers.small(n_people=10, length=10)
    client.force_login(reviewer())
    page = reverse("review", args=[experiment.pk])
    client.get(page)
    with at_most(16):
        client.get(page)


def test_staff_hand_a_review_over(client: Client, experiment: Experiment) -> None:
    one, other, trainer = reviewer("one"), reviewer("other"), member_of(TRAINER)
    review = begun(one, experiment)
    client.force_login(trainer)
    address = reverse("admin:evaluation_review_change", args=[review.pk])
    refused = client.post(address, {"reviewer": trainer.pk}).content.decode()
    assert "add it to the group Reviewer" in refused
    assert client.post(address, {"reviewer": other.pk}).status_code == 302
    review.refresh_from_db()
    assert review.reviewer == other
    reviewing.rate(review=review, score=5)
    assert "rated already" in client.post(address, {"reviewer": one.pk}).content.decode()
    client.force_login(other)
    assert client.post(address, {"reviewer": one.pk}).status_code == 403
