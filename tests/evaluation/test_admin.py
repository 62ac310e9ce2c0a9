"""Staff measure runs, read what came of it and compare."""

import re
from typing import Any

import pytest
from django.test import Client

from catalog.models import User
from evaluation.models import Evaluation
from evaluation.offline.glossary import ENTRIES
from evaluation.runs.keys import BASELINE, MAIN
from recommender.models import TrainingRun
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
RUNS, EVALUATIONS = "/admin/recommender/trainingrun/", "/admin/evaluation/evaluation/"
ACCURACY = ("precision@10", "recall@10", "map@10", "ndcg@10", "mrr@10", "hit_rate@10", "recall@100", "ndcg@100")
BEYOND = ("coverage", "gini", "novelty", "genre_diversity", "popularity_bias")


@pytest.fixture
def staff(client: Client) -> User:
    user = factories.staff()
    client.force_login(user)
    return user


@pytest.fixture
def run() -> TrainingRun:
    return factories.published_model({factories.anime().pk: [1.0], factories.anime().pk: [2.0]})


def measured(run: TrainingRun, mean: float, **fields: Any) -> Evaluation:
    """As `measure` leaves it: twenty people for whom every list is worth the mean."""
    methods = [
        {
            "key": key,
            "title": f"<{key}>",
            "definition": f"What {key} does.",
            "metrics": {name: [value, value - 0.01, value + 0.01] for name in reversed(ACCURACY)},
            "beyond_accuracy": dict.fromkeys(BEYOND, 0.5),
            "seconds": 1.0,
        }
        for key, value in ((BASELINE, 0.25), (MAIN, mean))
    ]
    evaluation = Evaluation.objects.create(run=run, **fields)
    Evaluation.objects.filter(pk=evaluation.pk).update(
        state="done",
        finished_at=evaluation.created_at,
        started_at=evaluation.created_at,
        users=20,
        methods=methods,
        differences=[{"key": MAIN, "difference": mean - 0.25, "low": 0.1, "high": 0.3, "p_value": 0.001}],
        per_user={"users": list(range(20)), "ndcg@10": {MAIN: [mean] * 20, BASELINE: [0.25] * 20}},
    )
    evaluation.refresh_from_db()
    return evaluation


def test_the_action_queues_an_evaluation_of_a_run(client: Client, staff: User, run: TrainingRun) -> None:
    assert "Evaluate the selected models" in client.get(RUNS).text
    answer = client.post(RUNS, {"action": "evaluate_selected", "_selected_action": [run.pk]}, follow=True)
    assert f"The evaluation of {run} is queued." in answer.text
    evaluation = Evaluation.objects.get(run=run)
    assert evaluation.state == Evaluation.State.QUEUED
    page = client.get(f"{EVALUATIONS}{evaluation.pk}/change/").text
    assert "Queued" in page
    assert 'hx-trigger="every 2s"' in page
    bare = TrainingRun.objects.create()
    answer = client.post(RUNS, {"action": "evaluate_selected", "_selected_action": [bare.pk]}, follow=True)
    assert "has no model on disk" in answer.text


def test_a_run_shows_its_last_number_in_one_query_for_all(
    client: Client, staff: User, run: TrainingRun, django_assert_max_num_queries: Any
) -> None:
    measured(run, 0.4)
    measured(run, 0.5, seed=1)
    others = [TrainingRun.objects.create() for _ in range(5)]
    with django_assert_max_num_queries(14):
        page = client.get(RUNS).text
    assert "0.500 (0.490 to 0.510)" in page
    assert len(others) == page.count('<td class="field-ndcg">-</td>')


def test_the_page_has_every_metric_with_interval_definition_and_picture(
    client: Client, staff: User, run: TrainingRun
) -> None:
    evaluation = measured(run, 0.4)
    answer = client.get(f"{EVALUATIONS}{evaluation.pk}/change/")
    page = answer.text
    for name in (*ACCURACY, *BEYOND):
        assert f"<dt>{ENTRIES[name].name}</dt><dd>" in page
    assert "<td>0.400 <small>0.390 to 0.410</small></td>" in page
    heads = re.findall(r'<abbr title="[^"]+">(.*?)</abbr>', page)
    assert heads == [ENTRIES[name].name for name in (*ACCURACY, *BEYOND)]
    assert "&lt;auto&gt;" in page
    assert "<auto>" not in page
    assert page.count('<svg class="chart"') == 2
    assert "every 2s" not in page
    assert "style=" not in page.split("<section")[1].split("</section>")[0]


def test_runs_are_compared_on_the_same_people(client: Client, staff: User, run: TrainingRun) -> None:
    other = factories.published_model({factories.anime().pk: [1.0]})
    first, second = measured(run, 0.4), measured(other, 0.5)
    chosen = {"action": "compare_selected", "_selected_action": [first.pk, second.pk]}
    page = client.post(EVALUATIONS, chosen, follow=True).text
    assert "+0.100 (+0.100 to +0.100), n = 20" in page
    assert str(first) in page
    assert str(second) in page
    assert client.get(f"{EVALUATIONS}compare/?ids=999,x").status_code == 404
    many = [measured(run, 0.4, seed=seed).pk for seed in range(1, 7)]
    chosen["_selected_action"] = many
    assert "Choose at most 5 evaluations." in client.post(EVALUATIONS, chosen, follow=True).text


def test_who_only_looks_launches_nothing(client: Client, run: TrainingRun) -> None:
    from django.contrib.auth.models import Permission

    viewer = factories.user(is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_trainingrun", "view_evaluation"]))
    client.force_login(viewer)
    evaluation = measured(run, 0.4)
    assert client.get(f"{EVALUATIONS}{evaluation.pk}/change/").status_code == 200
    assert client.get(f"{EVALUATIONS}compare/?ids={evaluation.pk}").status_code == 200
    client.post(RUNS, {"action": "evaluate_selected", "_selected_action": [run.pk]})
    client.post(EVALUATIONS, {"action": "measure_again", "_selected_action": [evaluation.pk]})
    evaluation.refresh_from_db()
    assert evaluation.state == "done"
    assert Evaluation.objects.count() == 1
    client.force_login(factories.user(is_staff=True))
    for address in (f"{evaluation.pk}/change/", f"{evaluation.pk}/found/", "", f"compare/?ids={evaluation.pk}"):
        assert client.get(f"{EVALUATIONS}{address}").status_code in (403, 404)
