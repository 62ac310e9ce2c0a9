"""Programs of staff: experiments described, launched and read, judgements read, reviews given, as in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client

from catalog.accounts.groups import REVIEWER, TRAINER, VIEWER
from evaluation.judging.models import Experiment, Judgement, Review
from tests import factories
from tests.evaluation.judging import answers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
JSON = "application/json"
EXPERIMENTS, JUDGEMENTS, REVIEWS = (f"/api/v1/staff/{name}/" for name in ("experiments", "judgements", "reviews"))


def member_of(group: str, name: str | None = None) -> Client:
    person = factories.user(name, is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def experiment() -> Experiment:
    cache.clear()
    return answers.small(n_people=8)


def test_an_experiment_is_described_launched_and_cancelled(settings: Any) -> None:
    settings.JUDGE_BASE_URL, settings.JUDGE_MODEL = "http://127.0.0.1:9/v1", "judge-7b"
    trainer = member_of(TRAINER, "trainer")
    made = trainer.post(EXPERIMENTS, {"name": "new or old?", "n_users": 5, "pairwise": True}, content_type=JSON)
    assert made.status_code == 201, made.content
    described = made.json()
    assert (described["state"], described["created_by"], described["n_users"]) == ("draft", "trainer", 5)
    own = f"{EXPERIMENTS}{described['id']}/"
    assert trainer.post(f"{own}cancel/").status_code == 409
    again = [trainer.post(f"{own}launch/", headers={"Idempotency-Key": "once"}, content_type=JSON) for _ in range(2)]
    assert [(one.status_code, one.json()["state"]) for one in again] == [(200, "preparing")] * 2
    assert trainer.post(f"{own}launch/").status_code == 409
    assert trainer.post(f"{own}cancel/").json()["state"] == "cancelled"
    assert [one["name"] for one in trainer.get(EXPERIMENTS).json()["results"]] == ["new or old?"]


def test_without_a_judge_a_launch_says_what_to_set() -> None:
    draft = answers.experiment()
    refused = member_of(TRAINER).post(f"{EXPERIMENTS}{draft.pk}/launch/")
    assert refused.status_code == 409
    assert "JUDGE_BASE_URL" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "#/name"),
        ({"n_users": 0}, "#/n_users"),
        ({"runs": [4444]}, "#/runs"),
        ({"language": "xx"}, "#/language"),
        ({"with_popularity": False, "with_random": False}, "#"),
        ({"money_budget": "-1"}, "#/money_budget"),
    ],
)
def test_a_wrong_description_is_refused_by_field(fields: dict[str, Any], pointer: str) -> None:
    refused = member_of(TRAINER).post(EXPERIMENTS, {"name": "x", **fields}, content_type=JSON)
    assert refused.status_code == 400
    assert pointer in {one["pointer"].rstrip("/") for one in refused.json()["errors"]}
    assert not Experiment.objects.exists()


def test_each_group_may_what_it_may_in_the_admin(experiment: Experiment) -> None:
    clients = [member_of(group) for group in (VIEWER, TRAINER, REVIEWER)]
    own = f"{EXPERIMENTS}{experiment.pk}/"
    assert [client.get(own).status_code for client in clients] == [200, 200, 200]
    assert [client.post(f"{own}launch/").status_code for client in clients] == [403, 409, 403]
    body = {"experiment_id": experiment.pk}
    asked = [client.post(REVIEWS, body, content_type=JSON).status_code for client in clients]
    assert asked == [403, 403, 200]


def test_results_are_what_the_dashboard_shows(experiment: Experiment) -> None:
    found = member_of(VIEWER).get(f"{EXPERIMENTS}{experiment.pk}/results/").json()
    assert found["is_informative"] is True
    assert found["labels"] == ["Model 1", "Popularity", "Random"]
    means = {one["contestant"]: one["score"]["mean"] for one in found["means"] if not one["stratum"]}
    assert means == {"Model 1": 7.5, "Popularity": 5.5, "Random": 2.5}
    assert found["shares"]["Random"][1] == 0.5
    assert found["among_people"] is None


def test_judgements_are_read_by_experiment_and_whole(experiment: Experiment) -> None:
    other = answers.small(n_people=1)
    viewer = member_of(VIEWER)
    listed = viewer.get(f"{JUDGEMENTS}?experiment={other.pk}").json()["results"]
    assert {one["experiment_id"] for one in listed} == {other.pk}
    assert len(listed) == 3
    assert "messages" not in listed[0]
    page = viewer.get(f"{JUDGEMENTS}?experiment={experiment.pk}&limit=20").json()
    rest = viewer.get(page["next"]).json()
    assert len({one["id"] for one in [*page["results"], *rest["results"]]}) == 24
    whole = viewer.get(f"{JUDGEMENTS}{listed[0]['id']}/").json()
    assert len(whole["items"]) == 3
    assert whole["items"][0]["explanation"].startswith("Because of")
    for query in ("experiment=x", "experiment=0", "person=-1", "state=lost", "cursor=cD14", "limit=abc"):
        refused = viewer.get(f"{JUDGEMENTS}?{query}")
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["pointer"] == f"#/{query.partition('=')[0]}"


def test_a_review_is_given_blind_first(experiment: Experiment) -> None:
    reviewer = member_of(REVIEWER, "anna")
    body = {"experiment_id": experiment.pk}
    begun = reviewer.post(REVIEWS, body, content_type=JSON).json()
    assert (begun["state"], begun["judge_score"], begun["judge_explanation"]) == ("assigned", None, None)
    assert reviewer.post(REVIEWS, body, content_type=JSON).json()["id"] == begun["id"]
    own = f"{REVIEWS}{begun['id']}/"
    assert reviewer.patch(own, {"agrees": True}, content_type=JSON).status_code == 409
    rated = reviewer.patch(own, {"score": 4}, content_type=JSON).json()
    item = Review.objects.get().item
    assert (rated["score"], rated["judge_score"], rated["judge_explanation"]) == (4, item.score, item.explanation)
    assert reviewer.patch(own, {"score": 9}, content_type=JSON).status_code == 409
    done = reviewer.patch(own, {"agrees": False, "comment": "Too kind"}, content_type=JSON).json()
    assert (done["state"], done["agrees"], done["comment"]) == ("done", False, "Too kind")
    following = reviewer.post(REVIEWS, body, content_type=JSON).json()
    assert following["id"] != begun["id"]
    assert (
        reviewer.patch(f"{REVIEWS}{following['id']}/", {"skip": True}, content_type=JSON).json()["state"] == "skipped"
    )
    assert member_of(REVIEWER).get(own).status_code == 404


def test_judgements_are_narrowed_by_person_and_state(experiment: Experiment) -> None:
    viewer, person = member_of(VIEWER), experiment.subjects.all()[0]
    model, popularity, _random = experiment.contestants.all()
    answers.preferred(model, popularity, person, "first")
    of_person = viewer.get(f"{JUDGEMENTS}?person={person.pk}").json()["results"]
    assert [(one["person"], one["against"], one["preferred"]) for one in of_person] == [
        (person.pk, "Popularity", "first"),
        *[(person.pk, None, None)] * 3,
    ]
    Judgement.objects.filter(pk=of_person[1]["id"]).update(state="unscored", overall=None, reason="a refusal")
    unscored = viewer.get(f"{JUDGEMENTS}?experiment={experiment.pk}&state=unscored").json()["results"]
    assert [(one["id"], one["reason"]) for one in unscored] == [(of_person[1]["id"], "a refusal")]


def test_reviews_are_narrowed_by_state_and_experiment(experiment: Experiment) -> None:
    reviewer = member_of(REVIEWER)
    body = {"experiment_id": experiment.pk}
    skipped = reviewer.post(REVIEWS, body, content_type=JSON).json()["id"]
    reviewer.patch(f"{REVIEWS}{skipped}/", {"skip": True}, content_type=JSON)
    begun = reviewer.post(REVIEWS, body, content_type=JSON).json()["id"]

    def listed(query: str) -> list[int]:
        return [one["id"] for one in reviewer.get(f"{REVIEWS}?{query}").json()["results"]]

    assert listed("state=skipped") == [skipped]
    assert listed(f"experiment={experiment.pk}") == [begun, skipped]
    assert listed(f"experiment={experiment.pk + 1}") == listed("state=done") == []
    assert reviewer.get(f"{REVIEWS}?state=lost").json()["errors"][0]["pointer"] == "#/state"


@pytest.mark.parametrize(
    "said", [{}, {"score": 11}, {"score": 5, "skip": True}, {"skip": False}, {"comment": "x"}, {"agrees": "maybe"}]
)
def test_an_answer_that_makes_no_sense_is_refused(experiment: Experiment, said: dict[str, Any]) -> None:
    reviewer = member_of(REVIEWER)
    begun = reviewer.post(REVIEWS, {"experiment_id": experiment.pk}, content_type=JSON).json()
    assert reviewer.patch(f"{REVIEWS}{begun['id']}/", said, content_type=JSON).status_code == 400
    assert Review.objects.get().state == "assigned"


def test_nothing_left_and_no_such_experiment(experiment: Experiment) -> None:
    reviewer = member_of(REVIEWER)
    Judgement.objects.update(state="queued", overall=None)
    assert reviewer.post(REVIEWS, {"experiment_id": experiment.pk}, content_type=JSON).status_code == 409
    refused = reviewer.post(REVIEWS, {"experiment_id": 4444}, content_type=JSON)
    assert refused.json()["errors"][0]["pointer"] == "#/experiment_id"


@pytest.mark.parametrize("path", [EXPERIMENTS, JUDGEMENTS, REVIEWS])
def test_reading_costs_the_same_for_one_and_for_many(
    experiment: Experiment, path: str, django_assert_max_num_queries: Any
) -> None:
    reviewer = member_of(REVIEWER)
    reviewer.post(REVIEWS, {"experiment_id": experiment.pk}, content_type=JSON)
    for limit in (1, 100):
        with django_assert_max_num_queries(6):
            assert reviewer.get(f"{path}?limit={limit}").status_code == 200
