"""The audit log in the admin, and the admin classes whose changes it holds."""

from typing import Any

from django.contrib import admin
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from common import audit
from common.models import AuditEntry


class AuditedAdmin(admin.ModelAdmin[Any]):
    """An admin whose additions, changes and deletions leave audit entries, written in the same transaction."""

    def audit_details(self, obj: Any) -> dict[str, Any]:
        """Values of the row after the change that its entry repeats."""
        return {}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The actions of a list change rows, and Django does not make a transaction of them."""
        with transaction.atomic():
            response: HttpResponse = super().changelist_view(request, extra_context)
            return response

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record("add", obj, message=message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record("change", obj, message=message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._record("delete", obj)
        return super().log_deletions(request, queryset)

    def _record(self, verb: str, obj: models.Model, **details: Any) -> None:
        audit.record(f"{obj._meta.model_name}.{verb}", obj, **details, **self.audit_details(obj))


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin[AuditEntry]):
    """Read by superusers, and by staff who were given the permission to view it; changed by nobody."""

    list_display = ["at", "actor_name", "action", "target_kind", "target_label"]
    list_filter = ["action", "target_kind", "at"]
    search_fields = ["actor_name", "action", "target_label", "=target_id"]
    search_help_text = _("A name of an account, an action, or the name or number of what it was done to.")
    date_hierarchy = "at"
    show_full_result_count = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False


class ReadOnlyAdmin(AuditedAdmin):
    """Rows that staff read: nobody adds or changes them by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
