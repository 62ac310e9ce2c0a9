"""Schedules in the admin: when a task runs and whether it does, and never which task.

Rows are made by migrations and by the settings. Their task decides what is done, and their arguments how much, so that
who may change both could have anything done: superusers may change arguments, and nobody the task.
"""

import inspect
import json
from typing import Any

from celery import current_app
from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_celery_beat import admin as beat
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)

from common import audit
from common.admin import AuditedAdmin

MAX_ARGUMENT = 1_000_000


class ScheduleForm(forms.ModelForm[PeriodicTask]):
    class Meta:
        model = PeriodicTask
        fields = ["enabled", "crontab", "interval", "kwargs"]

    def clean_kwargs(self) -> str:
        """Arguments that the task takes: numbers by name, none of them below 1, so that no schedule deletes it all."""
        text: str = self.cleaned_data["kwargs"]
        try:
            arguments = json.loads(text or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise forms.ValidationError(_("Give a JSON object, such as %(example)s.") % {"example": '{"keep_last": 5}'})
        known = self._known()
        for name, value in arguments.items():
            if name not in known:
                message = _("The task takes no argument %(name)s. It takes: %(known)s.")
                raise forms.ValidationError(message % {"name": name, "known": ", ".join(known) or "-"})
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 1 <= value <= MAX_ARGUMENT:
                message = _("%(name)s must be a number from 1 to %(most)s.")
                raise forms.ValidationError(message % {"name": name, "most": MAX_ARGUMENT})
        return json.dumps(arguments)

    def _known(self) -> list[str]:
        current_app.loader.import_default_modules()
        task = current_app.tasks.get(self.instance.task)
        return list(inspect.signature(task.run).parameters) if task else []


for _model in (PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    admin.site.unregister(_model)


@admin.register(PeriodicTask)
class ScheduleAdmin(AuditedAdmin):
    form = ScheduleForm
    list_display = ["name", "enabled", "scheduler", "last_run_at"]
    list_filter = ["enabled"]
    list_select_related = ["interval", "crontab", "solar", "clocked"]
    search_fields = ["name", "task"]
    actions = ["switch_on", "switch_off", "run_now"]
    fieldsets = [
        (None, {"fields": ["name", "task", "description", "kwargs", "last_run_at"]}),
        (_("Schedule"), {"fields": ["enabled", "crontab", "interval"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: PeriodicTask | None = None) -> list[str]:
        fixed = ["name", "task", "description", "last_run_at"]
        return fixed if request.user.is_superuser else [*fixed, "kwargs"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PeriodicTask | None = None) -> bool:
        return bool(request.user.is_superuser)

    def audit_details(self, obj: PeriodicTask) -> dict[str, Any]:
        return {"enabled": obj.enabled, "when": str(obj.crontab or obj.interval or ""), "kwargs": obj.kwargs}

    @admin.action(description=_("Switch the selected schedules on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, enabled=True)

    @admin.action(description=_("Switch the selected schedules off"), permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self._switch(request, queryset, enabled=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[PeriodicTask], *, enabled: bool) -> None:
        rows = list(queryset.exclude(enabled=enabled))
        for row in rows:
            row.enabled = enabled
            row.save()
            audit.record("periodictask.switch", row, **self.audit_details(row))
        PeriodicTasks.update_changed()
        count = len(rows)
        message = ngettext("%(count)s schedule is changed.", "%(count)s schedules are changed.", count)
        self.message_user(request, message % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Run the selected tasks now"), permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        """With the arguments of the schedule, as beat would; the action takes none."""
        for row in queryset:
            current_app.send_task(row.task, kwargs=json.loads(row.kwargs or "{}"))
            audit.record("periodictask.run", row, **self.audit_details(row))
            self.message_user(request, _("%(name)s is queued.") % {"name": row.name}, messages.SUCCESS)


class _Times(AuditedAdmin):
    """Times are shared by the schedules that use them."""

    inlines = [beat.PeriodicTaskInline]


@admin.register(CrontabSchedule)
class CrontabAdmin(_Times, beat.CrontabScheduleAdmin):  # type: ignore[misc]  # beat's admin is not typed
    pass


admin.site.register([ClockedSchedule, IntervalSchedule, SolarSchedule], _Times)
