"""Staff see what they may and nothing more, and no page reads a table it does not show."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.models import Anime, Dataset, Genre, Member, User
from recommender.models import TrainingRun
from tests import factories

pytestmark = pytest.mark.django_db
MODELS = [model._meta.label_lower for model in admin.site._registry]


@pytest.fixture
def rows() -> None:
    user, anime = factories.user("viewer"), factories.anime("Trigun", mal_id=6)
    factories.rating(user, anime)
    factories.list_entry(user, anime)
    factories.member({6: 9})
    TrainingRun.objects.create()


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(factories.staff(username="boss"))
    return client


def address(label: str, page: str, *args: object) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_{page}", args=args)


@pytest.mark.parametrize("label", MODELS)
def test_every_page_of_every_model_opens(rows: None, boss: Client, label: str) -> None:
    model = next(model for model in admin.site._registry if model._meta.label_lower == label)
    assert boss.get(address(label, "changelist")).status_code == 200
    assert boss.get(address(label, "changelist") + "?q=x").status_code == 200
    assert boss.get(address(label, "add")).status_code in (200, 403)
    if row := model._default_manager.first():
        assert boss.get(address(label, "change", row.pk)).status_code == 200


def test_the_way_in_is_the_sites_log_in(client: Client) -> None:
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")


@pytest.mark.parametrize("label", MODELS)
def test_staff_without_permission_see_nothing(rows: None, client: Client, label: str) -> None:
    client.force_login(factories.user(is_staff=True))
    assert client.get(address(label, "changelist")).status_code == 403


def test_who_may_change_users_cannot_become_a_superuser_or_change_one(client: Client) -> None:
    clerk = factories.user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    boss = factories.staff(username="boss", password="unchanged-1")
    client.force_login(clerk)
    data = {
        "username": "clerk",
        "email": "new@example.com",
        "is_active": "on",
        "is_superuser": "on",
        "is_staff": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "user_permissions": [str(pk) for pk in Permission.objects.values_list("pk", flat=True)],
    }
    response = client.post(address("catalog.user", "change", clerk.pk), data)
    clerk.refresh_from_db()
    assert response.status_code == 302
    assert clerk.email == "new@example.com"
    assert not clerk.is_superuser
    assert clerk.user_permissions.count() == 2
    password = reverse("admin:auth_user_password_change", args=[boss.pk])
    assert client.post(password, {"password1": "taken-over-1", "password2": "taken-over-1"}).status_code == 403
    assert User.objects.get(pk=boss.pk).check_password("unchanged-1")


def test_who_may_change_users_cannot_take_over_other_staff(client: Client) -> None:
    clerk, editor = factories.user("clerk", is_staff=True), factories.user("editor", is_staff=True)
    viewer = factories.user("viewer")
    clerk.user_permissions.set(Permission.objects.filter(codename="change_user"))
    client.force_login(clerk)

    def set_password(user: User) -> int:
        new = {"password1": "taken-over-1", "password2": "taken-over-1"}
        return client.post(reverse("admin:auth_user_password_change", args=[user.pk]), new).status_code

    assert (set_password(editor), set_password(viewer)) == (403, 302)


def test_who_may_change_groups_cannot_give_their_own_more_rights(client: Client) -> None:
    group = Group.objects.create(name="clerks")
    group.permissions.set(Permission.objects.filter(codename__in=["add_group", "change_group", "view_group"]))
    clerk = factories.user(is_staff=True)
    clerk.groups.add(group)
    client.force_login(clerk)
    data = {"name": "clerks", "permissions": [str(pk) for pk in Permission.objects.values_list("pk", flat=True)]}
    page = address("auth.group", "change", group.pk)
    assert (client.get(page).status_code, client.post(page, data).status_code) == (200, 403)
    assert group.permissions.count() == 3


def test_an_anime_is_adult_when_its_genres_say_so(boss: Client) -> None:
    adult, other = (Genre.objects.create(name=name, slug=name.lower()) for name in ("Hentai", "Comedy"))
    sent = {"mal_id": 6, "name": "Trigun", "members": 1}
    boss.post(address("catalog.anime", "add"), {**sent, "genres": [adult.pk, other.pk]})
    assert Anime.objects.get(pk=6).is_adult
    boss.post(address("catalog.anime", "change", 6), {**sent, "mal_id": 7, "genres": [other.pk], "is_adult": "on"})
    assert [(anime.pk, anime.is_adult) for anime in Anime.objects.all()] == [(6, False)]


def test_a_superuser_deletes_a_data_set_with_its_members_and_reads_no_history(boss: Client) -> None:
    factories.anime(mal_id=6)
    factories.member({6: 9})
    page = address("catalog.dataset", "delete", Dataset.objects.get().pk)
    with CaptureQueriesContext(connection) as queries:
        assert "Data set members: 1" in boss.get(page).content.decode()
        assert boss.post(page, {"post": "yes"}).status_code == 302
    assert not [query for query in queries if "anime_ids" in query["sql"]]
    assert not Dataset.objects.exists()
    assert not Member.objects.exists()


@pytest.mark.parametrize("codename", ["delete_dataset", "delete_member"])
def test_staff_do_not_delete_data_sets_or_members(client: Client, codename: str) -> None:
    factories.anime(mal_id=6)
    factories.member({6: 9})
    clerk = factories.user(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename=codename))
    client.force_login(clerk)
    dataset, member = Dataset.objects.get(), Member.objects.get()
    assert client.post(address("catalog.dataset", "delete", dataset.pk), {"post": "yes"}).status_code == 403
    assert client.post(address("catalog.member", "delete", member.pk), {"post": "yes"}).status_code == 403
    assert Member.objects.exists()


@pytest.mark.parametrize("label", ["catalog.rating", "catalog.listentry", "catalog.member", "catalog.anime"])
def test_a_list_costs_the_same_whatever_its_length(boss: Client, label: str, django_assert_max_num_queries) -> None:
    user = factories.user("viewer")
    for number in range(30):
        anime = factories.anime()
        factories.rating(user, anime)
        factories.list_entry(user, anime)
        factories.member({anime.pk: number % 10 + 1})
    with django_assert_max_num_queries(10):
        boss.get(address(label, "changelist"))


class TestTrainingRuns:
    list_address = "/admin/recommender/trainingrun/"

    def test_train_now_queues_a_training(
        self, boss: Client, django_capture_on_commit_callbacks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[TrainingRun] = []
        monkeypatch.setattr("recommender.tasks.enqueue", sent.append)
        assert "Train now" in boss.get(self.list_address).content.decode()
        with django_capture_on_commit_callbacks(execute=True):
            response = boss.post(self.list_address + "train-now/")
        run = TrainingRun.objects.get()
        assert sent == [run]
        assert run.started_by == User.objects.get(username="boss")
        assert response.headers["Location"] == f"{self.list_address}{run.pk}/change/"

    def test_a_training_is_launched_with_settings_or_told_what_is_wrong_with_them(self, boss: Client) -> None:
        page = boss.get(self.list_address + "add/").content.decode()
        assert "Ridge of the item-item teacher" in page
        assert 'name="paper__batch_size" value="10000"' in page
        form = {"family": "paper", "source": "everyone", "history__epochs": "-7"}
        for field, value, message in [
            ("paper__epochs", "0", "epochs must be a whole number"),
            ("paper__epochs", "many", "Enter a whole number"),
            ("paper__learning_rate", "nan", "Enter a number"),
            ("min_user_ratings", "0", "min_user_ratings must be a whole number"),
            ("source", "bots", "Select a valid choice"),
        ]:
            wrong = boss.post(self.list_address + "add/", {**form, field: value})
            assert message in str(wrong.context["adminform"].form.errors[field])
        assert not TrainingRun.objects.exists()
        boss.post(self.list_address + "add/", {**form, "paper__epochs": "3", "warm_start": "on", "source": "members"})
        run = TrainingRun.objects.get()
        assert (run.config["epochs"], run.config["factors"]) == (3, 32)
        assert (run.publishes_itself, run.warm_start, run.data_filter["source"]) == (False, True, "members")

    @pytest.mark.parametrize("button", ["train-now/", "roll-back/"])
    def test_buttons_need_the_permission_and_a_post(self, boss: Client, client: Client, button: str) -> None:
        assert boss.get(self.list_address + button).status_code == 405
        viewer = factories.user(is_staff=True)
        viewer.user_permissions.set(Permission.objects.filter(codename="view_trainingrun"))
        client.force_login(viewer)
        page = client.get(self.list_address).content.decode()
        assert "Train now" not in page
        assert "Roll back" not in page
        assert client.post(self.list_address + button).status_code == 403
        assert not TrainingRun.objects.exists()

    def test_publish_and_cancel_are_actions(self, boss: Client, artifacts_dir: object) -> None:
        first = factories.published_model({1: [1.0], 2: [2.0]})
        factories.published_model({1: [1.0], 2: [2.0]})
        queued = TrainingRun.objects.create()

        def act(action: str, run: TrainingRun) -> None:
            boss.post(self.list_address, {"action": action, "_selected_action": [run.pk]})

        act("publish_selected", first)
        assert TrainingRun.objects.published().get() == first
        act("cancel_selected", queued)
        queued.refresh_from_db()
        assert queued.state == "cancelled"
        refused = boss.post(
            self.list_address, {"action": "publish_selected", "_selected_action": [queued.pk]}, follow=True
        )
        assert "manifest.json is missing" in refused.content.decode()
        assert TrainingRun.objects.published().get() == first

    def test_progress_is_drawn_and_moves_only_while_the_run_does(self, boss: Client) -> None:
        losses = [{"epoch": i, "train_loss": 2.0 / i, "validation_mse": 3.0 / i, "seconds": 1.0} for i in (1, 2, 3)]
        run = TrainingRun.objects.create(state="running", phase="training", progress=0.5, losses=losses)
        page = boss.get(f"{self.list_address}{run.pk}/progress/").content.decode()
        assert "<svg" in page
        assert 'value="0.500"' in page
        assert "hx-get" in page
        TrainingRun.objects.update(state="failed", error="no ratings")
        page = boss.get(f"{self.list_address}{run.pk}/progress/").content.decode()
        assert "no ratings" in page
        assert "hx-get" not in page

    def test_up_to_five_runs_are_compared(self, boss: Client) -> None:
        losses = [{"epoch": i, "train_loss": 2.0 / i, "seconds": 1.0} for i in (1, 2)]
        ndcg = [{"mean": mean, "low": mean - 0.01, "high": mean + 0.01} for mean in (0.3, 0.4)]
        runs = [
            TrainingRun.objects.create(
                config={"epochs": 3, "factors": number}, losses=losses, metrics={"ndcg@10": ndcg[number]}
            )
            for number in (0, 1)
        ]
        chosen = {"action": "compare_selected", "_selected_action": [run.pk for run in runs]}
        page = boss.post(self.list_address, chosen, follow=True)
        rows = {row.name: row for _, table in page.context["tables"] for row in table}
        assert rows["factors"].differs
        assert not rows["epochs"].differs
        assert set(rows["ndcg@10"].values) == {"0.3 (0.29 – 0.31)", "0.4 (0.39 – 0.41)"}
        assert page.content.decode().count('<svg class="chart"') == 2
        one = boss.post(self.list_address, {**chosen, "_selected_action": [runs[0].pk]}, follow=True)
        assert "Choose two to five runs." in one.content.decode()
        for query in ("", "?runs=", "?runs=x,-1", "?runs=99999999999999999999"):
            assert boss.get(f"{self.list_address}compare/{query}").status_code == 404
        assert boss.get(f"{self.list_address}compare/?runs={runs[0].pk}").status_code == 200
