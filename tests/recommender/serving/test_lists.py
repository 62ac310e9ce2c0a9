"""Which path serves whom, and that no list ever holds what it must not."""

from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser

from catalog.models import Anime, ListStatus, User
from recommender.models import TrainingRun
from recommender.runs import lifecycle
from recommender.serving import lists
from recommender.serving.models import published
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("artifacts_dir")]


@pytest.fixture
def shelf() -> dict[str, Anime]:
    """Space and school anime in a plane: space points one way, school the other."""
    names = ["space one", "space two", "space three", "school one", "school two", "school three"]
    return {
        name: factories.anime(name, score=9 - i, members=10_000 * (6 - i), genres=("Action",))
        for i, name in enumerate(names)
    }


@pytest.fixture
def model(shelf: dict[str, Anime]) -> TrainingRun:
    vectors = {
        anime.pk: [1.0, 0.1 * i] if name.startswith("space") else [0.1 * i, 1.0]
        for i, (name, anime) in enumerate(shelf.items())
    }
    return factories.published_model(vectors)


def names(result: lists.RecommendationList) -> list[str]:
    return [Anime.objects.get(pk=item.anime_id).name for item in result.items]


def test_without_a_model_everybody_gets_the_best_of_the_community(shelf: dict[str, Anime], user: User) -> None:
    factories.rating(user, shelf["space one"])
    result = lists.recommend(user, k=2)
    assert (result.path, result.model_version) == (lists.Path.COLD_START, None)
    assert names(result) == ["space two", "space three"]
    assert names(lists.recommend(AnonymousUser(), k=2)) == ["space one", "space two"]


def test_an_empty_catalogue_gives_an_empty_list() -> None:
    assert lists.recommend(AnonymousUser()).items == ()


def test_an_unseen_user_gets_the_neighbourhood_of_what_they_rated_at_once(
    shelf: dict[str, Anime], model: TrainingRun, user: User
) -> None:
    before = lists.recommend(user, k=2)
    assert before.path == lists.Path.COLD_START
    factories.rating(user, shelf["school one"], 10)
    after = lists.recommend(user, k=2)
    assert (after.path, after.method, after.model_version) == ("unseen", "weighted_average", model.version)
    assert names(after) == ["school three", "school two"]
    assert all(item.because == (shelf["school one"].pk,) for item in after.items)


def test_the_rating_weighs_more_when_it_is_higher(shelf: dict[str, Anime], model: TrainingRun) -> None:
    space, school = shelf["space one"].pk, shelf["school one"].pk
    assert names(lists.recommend_for_ratings({space: 10, school: 1}, k=1))[0].startswith("space")
    assert names(lists.recommend_for_ratings({space: 1, school: 10}, k=1))[0].startswith("school")


def test_a_seen_user_gets_predicted_ratings(shelf: dict[str, Anime], user: User) -> None:
    vectors = {anime.pk: [float(i)] for i, anime in enumerate(shelf.values())}
    factories.published_model(vectors, {user.pk: [3.0]})
    result = lists.recommend(user, k=6)
    assert (result.path, result.method) == ("seen", "two_tower")
    assert [item.predicted_rating for item in result.items] == [10, 10, 9, 6, 3, 1]
    assert names(result) == list(reversed(shelf))


def test_rated_listed_and_dismissed_anime_never_come(shelf: dict[str, Anime], model: TrainingRun, user: User) -> None:
    factories.rating(user, shelf["space one"])
    statuses = (ListStatus.DROPPED, ListStatus.COMPLETED, ListStatus.PLAN_TO_WATCH, ListStatus.NOT_INTERESTED)
    for name, status in zip(list(shelf)[1:5], statuses, strict=True):
        factories.list_entry(user, shelf[name], status)
    assert names(lists.recommend(user)) == ["school three"]
    assert names(lists.recommend(user, method="popularity")) == ["school three"]


def test_adult_titles_come_only_to_those_who_asked(shelf: dict[str, Anime], user: User) -> None:
    adult = factories.anime("adult", genres=("Hentai",), score=10, members=10**6)
    factories.published_model({anime.pk: [1.0, 0.0] for anime in [*shelf.values(), adult]})
    for method in ("popularity", "auto"):
        assert "adult" not in names(lists.recommend(AnonymousUser(), method=method))
        assert "adult" not in names(lists.recommend(user, method=method))
    assert adult.pk not in lists.similar(shelf["space one"].pk)
    factories.rating(user, shelf["space one"])
    assert "adult" not in names(lists.recommend(user))
    user.shows_adult = True
    assert "adult" in names(lists.recommend(user))
    assert "adult" in names(lists.recommend(user, method="popularity"))
    assert adult.pk in lists.similar(shelf["space one"].pk, shows_adult=True)


def test_a_method_that_cannot_be_had_says_why(shelf: dict[str, Anime], user: User) -> None:
    with pytest.raises(lists.MethodUnavailable, match="needs a published model"):
        lists.recommend(user, method="two_tower")
    factories.published_model({anime.pk: [1.0] for anime in shelf.values()})
    with pytest.raises(lists.MethodUnavailable, match="the model was trained on"):
        lists.recommend(user, method="two_tower")
    with pytest.raises(lists.MethodUnavailable, match="needs a rating"):
        lists.recommend(user, method="weighted_average")
    with pytest.raises(ValueError, match="magic"):
        lists.recommend(user, method="magic")


def test_a_newly_published_model_serves_the_next_call(shelf: dict[str, Anime], model: TrainingRun) -> None:
    rated = {shelf["space one"].pk: 9}
    assert lists.recommend_for_ratings(rated).model_version == model.version
    second = factories.published_model({anime.pk: [1.0] for anime in shelf.values()})
    assert lists.recommend_for_ratings(rated).model_version == second.version
    lifecycle.publish(TrainingRun.objects.get(pk=model.pk))
    assert lists.recommend_for_ratings(rated).model_version == model.version


def test_a_model_whose_files_are_gone_serves_cold_start(
    shelf: dict[str, Anime], model: TrainingRun, caplog: pytest.LogCaptureFixture
) -> None:
    (model.artifact_path / "manifest.json").unlink()
    published.forget()
    assert lists.recommend_for_ratings({shelf["space one"].pk: 9}).path == "cold_start"
    assert model.version in caplog.text


def test_anime_that_only_one_side_knows_do_no_harm(shelf: dict[str, Anime], user: User) -> None:
    newcomer = shelf.pop("space two")
    factories.published_model({**{anime.pk: [1.0, 0.5] for anime in shelf.values()}, 10**8: [9.0, 9.0]})
    factories.rating(user, newcomer)
    assert lists.recommend(user).path == "cold_start"
    factories.rating(user, shelf["space one"])
    result = lists.recommend(user)
    assert result.path == "unseen"
    assert 10**8 not in [item.anime_id for item in result.items]


def test_similar_is_ordered_by_angle(shelf: dict[str, Anime], model: TrainingRun) -> None:
    ids = lists.similar(shelf["space one"].pk, k=2)
    assert [Anime.objects.get(pk=i).name for i in ids] == ["space two", "space three"]
    assert lists.similar(10**9) == ()


def test_catalogue_changes_reach_the_next_call(shelf: dict[str, Anime]) -> None:
    assert names(lists.recommend(AnonymousUser(), k=1)) == ["space one"]
    anime = shelf["space one"]
    anime.is_adult = True
    anime.save()
    assert names(lists.recommend(AnonymousUser(), k=1)) == ["space two"]
    shelf["space two"].delete()
    assert names(lists.recommend(AnonymousUser(), k=1)) == ["space three"]


def test_a_call_costs_at_most_three_queries(
    shelf: dict[str, Anime], model: TrainingRun, user: User, django_assert_max_num_queries
) -> None:
    factories.rating(user, shelf["space one"])
    lists.recommend(user)
    with django_assert_max_num_queries(3):
        lists.recommend(user)


def test_k_is_bounded(shelf: dict[str, Anime]) -> None:
    assert len(lists.recommend(AnonymousUser(), k=-5).items) == 1
    assert len(lists.recommend(AnonymousUser(), k=10**9).items) == len(shelf)


def test_the_artifact_is_not_on_the_disk_of_the_developer(model: TrainingRun, artifacts_dir: Path) -> None:
    assert artifacts_dir in model.artifact_path.parents
