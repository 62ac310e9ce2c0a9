"""The report of what became of served lists, for staff."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from recommender.models import ServedList
from recommender.serving import outcomes


@admin.register(ServedList)
class ServedListAdmin(admin.ModelAdmin[ServedList]):
    """Above the lists: click and rating rates of each model, and who won where two made lists together."""

    list_display = ["key", "user", "path", "method", "model_version", "rival_version", "created_at"]
    list_filter = ["path", "model_version"]
    list_select_related = ["user"]
    show_full_result_count = False
    change_list_template = "admin/recommender/servedlist/change_list.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ServedList | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ServedList | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        models, duels = outcomes.report()
        return super().changelist_view(request, {"models": models, "duels": duels, **(extra_context or {})})
