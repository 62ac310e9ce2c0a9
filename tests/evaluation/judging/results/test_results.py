"""What came of an experiment: numbers that follow from the rows, a page that shows them, and files with everything."""

import csv
import io
import json

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from catalog.accounts.groups import VIEWER
from catalog.models import User
from evaluation.judging.models import Experiment, ItemScore, Judgement
from evaluation.judging.results import effect
from evaluation.judging.results.summary import extremes, results
from evaluation.judging.review import reviewing
from tests import factories
from tests.evaluation.judging import answers

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment() -> Experiment:
    """Model, popularity and random lists with overall scores of 8, 6 and 3, one less for every second person."""
    cache.clear()
    return answers.small(n_people=8)


@pytest.fixture
def viewer(client: Client) -> Client:
    person = factories.user("viewer", is_staff=True)
    person.groups.add(Group.objects.get(name=VIEWER))
    client.force_login(person)
    return client


def reviewed(experiment: Experiment, names: str, n: int, shift: int = 0) -> None:
    """Each of `names` reviews `n` anime and gives what the judge gave, moved by `shift`, which they agree with at 0."""
    for name in names:
        person = answers.reviewer(name)
        for _ in range(n):
            review = reviewing.next_review(reviewer=person, experiment=experiment)
            assert review is not None
            reviewing.rate(review=review, score=max(1, min(10, review.item.score + shift)))
            reviewing.conclude(review=review, agrees=shift == 0)


def test_scores_by_contestant_and_by_number_of_ratings(experiment: Experiment) -> None:
    found = results(experiment)
    assert found.is_informative is True
    assert found.n_lists == 24
    means = {(found.labels[one.contestant], one.stratum): one.score.mean for one in found.means}
    assert means["Model 1", ""] == pytest.approx(7.5)
    assert (means["Model 1", "1-5"], means["Model 1", "6-20"]) == (8, 7)
    assert means["Random", ""] == pytest.approx(2.5)
    shares = {found.labels[pk]: list(share) for pk, share in found.shares.items()}
    assert shares["Popularity"] == [0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0]
    assert {(one.genre, found.labels[one.contestant], one.n, one.score) for one in found.genres} == {
        ("Drama", "Model 1", 24, 7.5), ("Comedy", "Popularity", 24, 5.5), ("Horror", "Random", 24, 2.5),
    }  # fmt: skip
    assert [(found.labels[one.contestant], one.judgements, one.tokens) for one in found.costs] == [
        ("Model 1", 8, 9600), ("Popularity", 8, 9600), ("Random", 8, 9600),
    ]  # fmt: skip
    assert found.with_ndcg is not None
    assert found.with_ndcg.mean > 0.8


def test_a_judge_that_likes_random_lists_as_well_is_not_informative(experiment: Experiment) -> None:
    Judgement.objects.update(overall=5)
    assert results(experiment).is_informative is False


def test_of_too_few_people_it_is_not_known(viewer: Client) -> None:
    few = answers.small(n_people=effect.MIN_PEOPLE - 1)
    assert results(few).is_informative is None
    page = viewer.get(reverse("admin:evaluation_experiment_results", args=[few.pk])).content.decode()
    assert "<strong>Not known</strong>" in page


def test_people_and_the_judge_and_people_among_themselves(experiment: Experiment) -> None:
    Experiment.objects.update(reviewers_per_item=2)
    experiment.refresh_from_db()
    assert results(experiment).judge_and_people is None
    reviewed(experiment, "ab", 72)
    found = results(experiment)  # what was kept is out of date
    assert found.judge_and_people is not None
    assert found.among_people is not None
    assert (found.judge_and_people.n, found.among_people.n, found.agreed) == (144, 72, 1.0)
    assert found.judge_and_people.kappa is not None
    assert found.judge_and_people.kappa.mean == pytest.approx(1)
    assert found.among_people.correlation is not None
    assert found.among_people.correlation.mean == pytest.approx(1)


def test_a_reviewer_who_sees_it_otherwise_lowers_agreement(experiment: Experiment) -> None:
    reviewed(experiment, "a", 30, shift=-4)
    found = results(experiment)
    assert found.agreed == 0
    assert found.judge_and_people is not None
    assert found.judge_and_people.kappa is not None
    assert found.judge_and_people.kappa.mean < 0.6
    assert found.among_people is None


def test_what_a_reviewer_said_leaves_the_results_with_them(experiment: Experiment) -> None:
    reviewed(experiment, "ab", 4)
    before = results(experiment)
    User.objects.get(username="a").delete()  # not who reviewed last
    after = results(experiment)
    assert before.judge_and_people
    assert after.judge_and_people
    assert (before.judge_and_people.n, after.judge_and_people.n) == (8, 4)


def test_the_best_and_the_worst_lists(experiment: Experiment) -> None:
    best, worst = extremes(experiment)
    assert [(one.contestant.label, one.overall) for one in best] == [("Model 1", 8)] * 3
    assert [(one.contestant.label, one.overall) for one in worst] == [("Random", 2)] * 3


def test_an_experiment_without_answers_has_a_page(viewer: Client) -> None:
    page = viewer.get(reverse("admin:evaluation_experiment_results", args=[answers.experiment().pk]))
    assert "No list has a score yet." in page.content.decode()


def test_the_page_says_what_came_of_it(
    viewer: Client, experiment: Experiment, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    reviewed(experiment, "a", 5)
    address = reverse("admin:evaluation_experiment_results", args=[experiment.pk])
    with django_assert_max_num_queries(24):  # type: ignore[operator]
        page = viewer.get(address).content.decode()
    assert "<strong>Informative</strong>" in page
    assert page.count("<svg") >= 3
    assert "7.50 (" in page
    assert "The best lists" in page
    Judgement.objects.update(overall=5)
    cache.clear()
    assert "<strong>Not informative</strong>" in viewer.get(address).content.decode()


def test_only_who_may_look_sees_and_exports(client: Client, experiment: Experiment) -> None:
    client.force_login(factories.user(is_staff=True))
    assert client.get(reverse("admin:evaluation_experiment_results", args=[experiment.pk])).status_code == 403
    assert client.get(reverse("admin:evaluation_experiment_export", args=[experiment.pk, "csv"])).status_code == 403


def exported(client: Client, experiment: Experiment, kind: str) -> str:
    response = client.get(reverse("admin:evaluation_experiment_export", args=[experiment.pk, kind]))
    assert f".{kind}" in response.headers["Content-Disposition"]
    return response.getvalue().decode()


def test_the_csv_has_a_row_for_each_anime_and_no_formula(viewer: Client, experiment: Experiment) -> None:
    reviewed(experiment, "a", 72)
    hostile = ItemScore.objects.order_by("pk")[0]
    ItemScore.objects.filter(pk=hostile.pk).update(explanation='=HYPERLINK("http://evil.example")')
    model, random = experiment.contestants.get(kind="run"), experiment.contestants.get(kind="random")
    person = experiment.subjects.order_by("pk")[0]
    answers.preferred(model, random, person, "first")
    rows = list(csv.DictReader(io.StringIO(exported(viewer, experiment, "csv"))))
    assert len(rows) == 73
    assert [row["preferred"] for row in rows if not row["anime_id"]] == ["first"]
    assert {row["reviews"] for row in rows if row["anime_id"]} == {"1"}
    assert [row["explanation"] for row in rows if "HYPERLINK" in row["explanation"]] == [
        '\'=HYPERLINK("http://evil.example")'
    ]
    assert not any(cell and cell[0] in "=+@" for row in rows for cell in row.values())


def test_the_json_has_all_there_is(viewer: Client, experiment: Experiment) -> None:
    reviewed(experiment, "a", 1)
    document = json.loads(exported(viewer, experiment, "json"))
    assert document["experiment"]["name"] == experiment.name
    assert len(document["judgements"]) == 24
    assert sum(len(one["items"]) for one in document["judgements"]) == 72
    assert sum(len(item["reviews"]) for one in document["judgements"] for item in one["items"]) == 1


def test_files_of_other_kinds_are_not_there(viewer: Client, experiment: Experiment) -> None:
    address = reverse("admin:evaluation_experiment_export", args=[experiment.pk, "xml"])
    assert viewer.get(address).status_code == 404
