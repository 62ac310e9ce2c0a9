"""Staff describe, launch, watch and read experiments."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from catalog.models import Anime
from evaluation.judging.models import Experiment, Judgement
from evaluation.judging.running import asking, services
from recommender.models import TrainingRun
from tests import factories
from tests.evaluation.judging import rows
from tests.evaluation.judging.llm_server import LLMServer

pytestmark = pytest.mark.django_db
#: Ratings are read in a snapshot of their own.
prepares = pytest.mark.django_db(transaction=True)
LIST, ADD = (reverse(f"admin:evaluation_experiment_{name}") for name in ("changelist", "add"))
FORM = {
    "name": "is it better?",
    "with_random": "on",
    "people": "held_out",
    "n_users": "4",
    "list_length": "3",
    "n_watched": "5",
    "reviewers_per_item": "1",
    "watched_choice": "both",
    "repeats": "1",
    "seed": "7",
    "judge_model": "",
    "language": "en",
    "token_budget": "1000000",
    "money_budget": "5",
}


def address(name: str, experiment: Experiment) -> str:
    return reverse(f"admin:evaluation_experiment_{name}", args=[experiment.pk])


@pytest.fixture
def trainer(client: Client) -> Client:
    return member_of(client, "Trainer")


def member_of(client: Client, group: str) -> Client:
    person = factories.user(group.lower(), is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    client.force_login(person)
    return client


def judged(experiment: Experiment) -> None:
    """What workers do."""
    services.prepare(experiment.pk)
    for pk in experiment.judgements.values_list("pk", flat=True):
        asking.ask(pk)


@prepares
def test_from_the_form_to_the_scores(client: Client, trained: TrainingRun, judge_server: LLMServer) -> None:
    client.force_login(factories.staff())
    form = client.get(ADD).text
    assert f"{trained} (Published" in form
    assert 'value="1000000"' in form
    assert "judge-missing" not in form
    response = client.post(ADD, {**FORM, "runs": [trained.pk]})
    experiment = Experiment.objects.get()
    assert response.headers["Location"] == address("change", experiment)
    page = client.get(address("change", experiment)).text
    assert "Asks for 8 judgements" in page
    assert address("launch", experiment) in page
    client.post(address("launch", experiment))
    experiment.refresh_from_db()
    assert experiment.state == Experiment.State.PREPARING
    assert 'hx-trigger="every 2s"' in client.get(address("progress", experiment)).text
    judged(experiment)
    page = client.get(address("change", experiment)).text
    assert "8 / 8" in page
    assert "5.00" in page  # the mean
    assert "0.0048" in page  # the cost of eight
    assert "hx-trigger" not in page
    assert "8 / 8" in client.get(LIST).text


@prepares
def test_a_judgement_is_the_papers_figure(client: Client, trained: TrainingRun, judge_server: LLMServer) -> None:
    Anime.objects.filter(name="Mild c").update(name="<script>Mild c</script>")
    experiment = Experiment.objects.create(name="which?", n_users=6, list_length=8, pairwise=True, with_random=False)
    experiment.runs.set([trained])
    services.launch(experiment=experiment)
    judged(experiment)
    client.force_login(factories.staff())
    lists = experiment.judgements.filter(against=None)
    pages = {one: client.get(reverse("admin:evaluation_judgement_change", args=[one.pk])).text for one in lists}
    assert any("&lt;script&gt;Mild c" in page for page in pages.values())
    for judgement, page in pages.items():
        assert "<script>Mild" not in page
        places = [page.index(f"because of {anime}<") for anime in judgement.recommended]
        assert places == sorted(places)
        assert "likes quiet ones" in page
        assert "NDCG@10" in page
        assert "&lt;data&gt;" in page
        assert page.count('<strong aria-current="page">') == 1
    pair = experiment.judgements.exclude(against=None)[0]
    page = client.get(reverse("admin:evaluation_judgement_change", args=[pair.pk])).text
    assert "Recommended by popularity" in page
    assert f"Recommended by {trained}" in page
    listed = client.get(reverse("admin:evaluation_judgement_changelist"), {"subject__stratum": "1-5"}).text
    assert f"{Judgement.objects.count()} judgements" in listed
    for question, count in (("list", 12), ("pair", 12)):
        listed = client.get(reverse("admin:evaluation_judgement_changelist"), {"question": question}).text
        assert f"{count} judgements" in listed


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"n_users": "0"}, "greater than or equal to 1"),
        ({"with_random": ""}, "at least one model"),
        ({"n_users": "5000", "repeats": "9"}, "judgements, and 20000 are allowed"),
        ({"money_budget": "-1"}, "greater than or equal to 0"),
        ({"runs": ["999999"]}, "not one of the available choices"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(trainer: Client, fields: dict[str, Any], says: str) -> None:
    assert says in trainer.post(ADD, {**FORM, **fields}).text
    assert not Experiment.objects.exists()


def test_what_was_asked_stays_and_the_budget_may_grow(trainer: Client) -> None:
    experiment = rows.experiment(seed=3)
    Experiment.objects.update(tokens_spent=500)
    page = trainer.get(address("change", experiment)).text
    assert 'name="seed"' not in page
    assert 'name="runs"' not in page
    changed = {
        "name": "renamed",
        "token_budget": "2000000",
        "money_budget": "9",
        "reviewers_per_item": "2",
        "seed": "8",
        "state": "done",
    }
    assert trainer.post(address("change", experiment), changed).status_code == 302
    experiment.refresh_from_db()
    assert (experiment.name, experiment.token_budget, experiment.seed) == ("renamed", 2_000_000, 3)
    assert (experiment.tokens_spent, experiment.state) == (500, "running")


def test_cancel_and_go_on(trainer: Client, judge_server: LLMServer) -> None:
    experiment = rows.experiment()
    rows.judgement(experiment)
    assert address("cancel", experiment) in trainer.get(address("change", experiment)).text
    trainer.post(address("cancel", experiment))
    page = trainer.get(address("change", experiment)).text
    assert address("cancel", experiment) not in page
    assert address("resume", experiment) in page
    page = trainer.post(address("resume", experiment), follow=True).text
    assert "1 judgement is asked for." in page
    page = trainer.post(address("resume", experiment), follow=True).text
    assert "has not ended" in page


def test_who_may_only_look_may_do_nothing(client: Client) -> None:
    experiment = rows.experiment()
    rows.judgement(experiment)
    viewer = member_of(client, "Viewer")
    page = viewer.get(address("change", experiment)).text
    assert address("cancel", experiment) not in page
    for name in ("launch", "cancel", "resume"):
        assert viewer.post(address(name, experiment)).status_code == 403
    assert viewer.get(ADD).status_code == 403
    assert client.get(address("cancel", experiment)).status_code == 405
    client.logout()
    assert client.get(address("progress", experiment)).status_code == 302
    assert Experiment.objects.get().state == "running"


def test_only_what_has_ended_is_deleted(trainer: Client) -> None:
    experiment = rows.experiment()
    rows.judgement(experiment)
    assert trainer.post(address("delete", experiment), {"post": "yes"}).status_code == 403
    services.cancel(experiment=experiment)
    assert trainer.post(address("delete", experiment), {"post": "yes"}).status_code == 302
    assert not Judgement.objects.exists()


def test_without_a_judge_the_pages_say_how_to_have_one(trainer: Client, settings: Settings) -> None:
    settings.JUDGE_BASE_URL = ""
    experiment = rows.experiment(state=Experiment.State.DRAFT)
    for page in (LIST, ADD, address("change", experiment)):
        assert "<code>JUDGE_BASE_URL</code>" in trainer.get(page).text
    assert "No judge is configured" in trainer.post(address("launch", experiment), follow=True).text
    assert Experiment.objects.get().state == Experiment.State.DRAFT
