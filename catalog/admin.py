"""The catalogue and its people, for staff."""

from typing import Any

from allauth.account.decorators import reauthentication_required, secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import F, Func, IntegerField, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

from catalog.datasets.models import ImportJob
from catalog.models import ADULT_GENRE, Anime, ApiToken, Dataset, Genre, ListEntry, Member, Rating, User
from common.admin import AuditedAdmin, ReadOnlyAdmin

admin.site.site_header = admin.site.site_title = settings.SITE_NAME
# The site's own log-in, and with it the limits on how often one may try.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

# A stolen session of staff must not be enough to take over accounts, or to give rights away.
_asks_again = method_decorator(reauthentication_required(allow_get=True))
# Where the form holds a password it is asked for before the form is shown: what is sent meanwhile waits in the session.
_asks_first = method_decorator(reauthentication_required)


class _AboutRights(AuditedAdmin):
    """An admin whose changes ask for the password again."""

    @_asks_again
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, extra_context)

    @_asks_again
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().changeform_view(request, *args, **kwargs)

    @_asks_again
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        return super().delete_view(request, object_id, extra_context)


@admin.register(User)
class UserAdmin(_AboutRights, DjangoUserAdmin):  # type: ignore[type-arg]  # the other base has no argument
    list_display = ["username", "email", "is_staff", "is_active", "date_joined"]
    fieldsets = [*(DjangoUserAdmin.fieldsets or ()), (_("Site"), {"fields": ["shows_adult"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Rights are a superuser's to give: who may change users could else give them all to themselves."""
        fields = super().get_readonly_fields(request, obj)
        rights = ["is_staff", "is_superuser", "groups", "user_permissions"]
        return fields if request.user.is_superuser else [*fields, *rights]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    @_asks_first
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        return super().add_view(request, form_url, extra_context)

    @_asks_first
    @method_decorator(transaction.atomic)
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response: HttpResponse = super().user_change_password(request, id, form_url)
        return response


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Another's staff account is a superuser's to change: with its password go its rights."""
    return user is None or request.user.is_superuser or user == request.user or not (user.is_staff or user.is_superuser)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(_AboutRights, DjangoGroupAdmin):
    """A group's rights, like a user's, are a superuser's to give."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(Genre)
class GenreAdmin(admin.ModelAdmin[Genre]):
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Anime)
class AnimeAdmin(admin.ModelAdmin[Anime]):
    list_display = ["name", "japanese_name", "type", "episodes", "score", "members", "is_adult"]
    list_filter = ["type", "is_adult", "genres"]
    search_fields = ["name", "japanese_name", "=mal_id"]
    autocomplete_fields = ["genres"]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Anime | None = None) -> Any:
        """The genres say what is adult. Another id would not rename an anime, but save a second one."""
        return ["is_adult"] if obj is None else ["mal_id", "is_adult"]

    def save_related(self, request: HttpRequest, form: ModelForm[Anime], formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        anime = form.instance
        anime.is_adult = anime.genres.filter(name=ADULT_GENRE).exists()
        anime.save(update_fields=["is_adult", "updated_at"])


class _ByUserAndAnime(admin.ModelAdmin[Any]):
    autocomplete_fields = ["user", "anime"]
    list_select_related = ["user", "anime"]
    search_fields = ["user__username", "anime__name"]
    show_full_result_count = False


@admin.register(Rating)
class RatingAdmin(_ByUserAndAnime):
    list_display = ["user", "anime", "score", "rated_at"]
    list_filter = ["score"]


@admin.register(ListEntry)
class ListEntryAdmin(_ByUserAndAnime):
    list_display = ["user", "anime", "status", "updated_at"]
    list_filter = ["status"]


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Staff see whose they are and may revoke them; nobody sees a token again."""

    list_display = ["name", "user", "scope", "created", "expiry"]
    list_filter = ["scope"]
    list_select_related = ["user"]
    search_fields = ["user__username", "name"]
    fields = ["name", "user", "scope", "token_key", "created", "expiry"]


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ["name", "is_simulated", "member_count", "interaction_count", "rating_count", "loaded_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Dataset | None = None) -> bool:
        return bool(request.user.is_superuser)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Members go with their data set: they are counted here, since naming each would read every history."""
        members = Member.objects.filter(dataset__in=objs).count()
        counts = {Dataset._meta.verbose_name_plural: len(objs), Member._meta.verbose_name_plural: members}
        return [str(dataset) for dataset in objs], counts, set(), []


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnlyAdmin):
    """What programs of staff asked for through the API, and what came of it."""

    list_display = ["source", "name", "state", "started_by", "created_at", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["started_by"]
    fields = [
        "source", "name", "replace", "state", "error", "report", "started_by", "created_at", "started_at",
        "finished_at",
    ]  # fmt: skip


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    list_display = ["external_id", "dataset", "interactions"]
    list_filter = ["dataset"]
    list_select_related = ["dataset"]
    search_fields = ["=external_id"]
    ordering = ["pk"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        length = Func(F("anime_ids"), function="CARDINALITY", output_field=IntegerField())
        # A list shows how long the histories are, and does not read them.
        members: QuerySet[Member] = super().get_queryset(request)
        return members.defer("anime_ids", "scores").annotate(length=length)

    def has_delete_permission(self, request: HttpRequest, obj: Member | None = None) -> bool:
        return False

    @admin.display(description=_("interactions"))
    def interactions(self, member: Any) -> int:
        return int(member.length)
