"""The paper's cluster methods as they are served: whichever model is published, and on a run's page."""

import numpy as np
import pytest
from django.test import Client

from catalog.models import Anime, User
from recommender.engine.paper import clustering
from recommender.engine.paper.config import PaperConfig
from recommender.engine.ratings import RatingMatrix
from recommender.models import TrainingRun
from recommender.runs import trainers
from recommender.serving import lists
from recommender.serving.models.paper import GMM, KMEANS, PaperModel
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]
CLUSTER_METHODS = ("kmeans", "gmm")


@pytest.fixture
def shelf() -> dict[str, Anime]:
    """Two kinds; of each, the later are the better known and the better liked."""
    names = [f"{kind} {i}" for kind in ("space", "school") for i in range(4)]
    return {
        name: factories.anime(name, score=6 + int(name[-1]) / 2, members=1000 * (1 + int(name[-1]))) for name in names
    }


@pytest.fixture
def model(shelf: dict[str, Anime]) -> TrainingRun:
    return factories.published_model(
        {a.pk: [1.0, 0.01 * i] if "space" in name else [0.01 * i, 1.0] for i, (name, a) in enumerate(shelf.items())},
        clusters={a.pk: int("school" in name) for name, a in shelf.items()},
    )


def names(result: lists.RecommendationList) -> list[str]:
    return [Anime.objects.get(pk=item.anime_id).name for item in result.items]


@pytest.mark.parametrize("method", CLUSTER_METHODS)
def test_the_nearest_clusters_best_come_first_and_the_list_is_full(
    method: str, shelf: dict[str, Anime], model: TrainingRun
) -> None:
    result = lists.recommend_for_ratings({shelf["school 0"].pk: 9}, k=5, method=method)
    assert (result.path, result.method, result.model_version) == ("unseen", method, model.version)
    assert names(result) == ["school 3", "school 2", "school 1", "space 3", "space 2"]
    assert result.items[0].because == (shelf["school 0"].pk,)


@pytest.mark.parametrize("method", CLUSTER_METHODS)
def test_what_is_rated_excluded_or_adult_never_comes(method: str, shelf: dict[str, Anime], model: TrainingRun) -> None:
    Anime.objects.filter(name="school 2").update(is_adult=True)
    rated = {shelf["school 0"].pk: 9}
    result = lists.recommend_for_ratings(rated, method=method, exclude=[shelf["school 3"].pk])
    assert names(result)[:3] == ["school 1", "space 3", "space 2"]
    assert len(result.items) == 5


@pytest.mark.parametrize("method", CLUSTER_METHODS)
def test_an_anime_without_a_score_comes_last_of_its_cluster(
    method: str, shelf: dict[str, Anime], model: TrainingRun
) -> None:
    Anime.objects.filter(name="school 3").update(score=None)
    result = lists.recommend_for_ratings({shelf["school 0"].pk: 9}, k=3, method=method)
    assert names(result) == ["school 2", "school 1", "school 3"]


@pytest.mark.parametrize("method", lists.PAPER_METHODS)
def test_the_papers_methods_are_served_while_the_other_family_is_published(
    method: str, shelf: dict[str, Anime], model: TrainingRun
) -> None:
    factories.published_history_model({anime.pk: [1.0] for anime in shelf.values()})
    result = lists.recommend_for_ratings({shelf["school 0"].pk: 9}, k=2, method=method)
    assert (result.method, result.model_version) == (method, model.version)
    assert all("school" in name for name in names(result))


def test_a_cluster_method_that_cannot_be_had_says_why(shelf: dict[str, Anime]) -> None:
    rated = {shelf["school 0"].pk: 9}
    with pytest.raises(lists.MethodUnavailable, match="model of the paper's family, and there is none"):
        lists.recommend_for_ratings(rated, method="kmeans")
    factories.published_model({anime.pk: [1.0] for anime in shelf.values()})
    with pytest.raises(lists.MethodUnavailable, match="trained without"):
        lists.recommend_for_ratings(rated, method="gmm")
    factories.published_model({a.pk: [1.0] for a in shelf.values()}, clusters={a.pk: 0 for a in shelf.values()})
    with pytest.raises(lists.MethodUnavailable, match="needs a rating"):
        lists.recommend_for_ratings({}, method="kmeans")


def test_the_api_and_the_sites_switch_have_the_methods(
    client: Client, shelf: dict[str, Anime], model: TrainingRun
) -> None:
    staff = factories.staff()
    factories.rating(staff, shelf["school 0"], 9)
    client.force_login(staff)
    for method in CLUSTER_METHODS:
        answer = client.get("/api/v1/recommendations/", {"method": method, "k": "2"}).json()
        assert (answer["method"], [row["anime"]["name"] for row in answer["results"]]) == (
            method,
            ["school 3", "school 2"],
        )
        assert f"<option selected>{method}</option>" in client.get("/", {"method": method}).text


def test_training_keeps_the_clusters_and_the_curves(user: User) -> None:
    """On two kinds of anime that different people rate."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(120), 10)
    items = np.concatenate([rng.choice(30, 10, replace=False) + 30 * (number % 2) for number in range(120)])
    ratings = RatingMatrix.from_arrays(users, items, rng.integers(6, 10, len(items)))
    run = TrainingRun.objects.create(family="paper", config={"factors": 4, "epochs": 2, "clusters": 5})
    arrays = trainers.train_paper(run, ratings)
    model = PaperModel.from_arrays("paper-1", arrays)
    assert model.kmeans is not None
    assert model.gmm is not None
    assert (model.kmeans.n_clusters, model.gmm.n_clusters) == (5, 5)
    assert len(model.kmeans.labels) == len(model.item_ids) == 60
    again = clustering.fit_kmeans(model.item_embeddings, n_clusters=5, seed=0)
    assert np.array_equal(again.labels, arrays[f"{KMEANS}labels"])
    assert arrays[f"{GMM}weights"].sum() == pytest.approx(1)
    assert run.cluster_curves["k"] == [10, 25, 50]
    assert (run.cluster_curves["clusters"], run.cluster_curves["components"]) == (5, 5)
    inertia = run.cluster_curves["inertia"]
    assert inertia == sorted(inertia, reverse=True)


def test_a_catalogue_of_one_anime_has_no_clusters() -> None:
    run = TrainingRun.objects.create(family="paper")
    assert trainers._clusters(run, np.ones((1, 4)), PaperConfig()) == {}
    assert run.cluster_curves == {}


def test_a_small_catalogue_gets_few_clusters_and_long_embeddings_few_components() -> None:
    assert clustering.default_n_clusters(7215) == 150
    assert clustering.default_n_clusters(45) == 4
    assert clustering.default_n_components(7215, 32) == 150
    assert clustering.default_n_components(7215, 1024) == 19


def test_the_runs_page_plots_the_curves(client: Client) -> None:
    client.force_login(factories.staff())
    curves = {
        "k": [10, 25, 50],
        "inertia": [9.0, 5.0, 4.0],
        "silhouette": [0.1, 0.3, 0.2],
        "davies_bouldin": [2.0, 1.5, 1.7],
        "entropy": [0.9, 0.95, 0.97],
        "elbow": 25,
        "clusters": 30,
        "components": 20,
    }
    run = TrainingRun.objects.create(family="paper", cluster_curves=curves)
    page = client.get(f"/admin/recommender/trainingrun/{run.pk}/change/").text
    for title in ("Inertia", "Silhouette", "Davies-Bouldin index", "Normalised entropy of sizes"):
        assert f"<title>{title}</title>" in page
    assert "30 clusters" in page
    assert "The elbow of the inertia is at 25 clusters" in page
    without = TrainingRun.objects.create(family="history")
    assert "Davies-Bouldin" not in client.get(f"/admin/recommender/trainingrun/{without.pk}/change/").text
