"""Staff launch, watch, publish and roll back trainings here."""

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from catalog.charts import Series, Text, line_chart
from recommender import lifecycle, services
from recommender.cluster_charts import cluster_charts
from recommender.configs import CONFIGS, checked
from recommender.models import TrainingRun


class LaunchForm(forms.ModelForm[TrainingRun]):
    """A new training. Settings that are not named have the defaults of the family."""

    class Meta:
        model = TrainingRun
        fields = ["family", "config", "publishes_itself"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        defaults = "; ".join(f"{family}: {json.dumps(config().to_dict())}" for family, config in CONFIGS.items())
        self.fields["config"].help_text = _("Settings that differ from the defaults, which are: %s") % defaults

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if isinstance(cleaned.get("config"), dict) and "family" in cleaned:
            try:
                checked(cleaned["family"], cleaned["config"])
            except ValueError as error:
                self.add_error("config", str(error))
        elif "config" in cleaned:
            self.add_error("config", _('This is not a JSON object such as {"epochs": 10}.'))
        return cleaned


@admin.register(TrainingRun)
class TrainingRunAdmin(admin.ModelAdmin[TrainingRun]):
    list_display = ["version", "state_label", "progress_bar", "last_loss", "started_by", "created_at"]
    list_filter = ["state", "family"]
    list_select_related = ["started_by"]
    date_hierarchy = "created_at"
    actions = ["publish_selected", "retire_selected", "cancel_selected"]
    change_list_template = "admin/recommender/trainingrun/change_list.html"
    change_form_template = "admin/recommender/trainingrun/change_form.html"
    fieldsets = [
        (None, {"fields": ["version", "state_label", "started_by", "publishes_itself", "waits_because", "error"]}),
        (_("Model"), {"fields": ["family", "config", "data_fingerprint", "counts", "metrics"]}),
        (_("When"), {"fields": ["created_at", "started_at", "finished_at", "published_at"]}),
    ]

    # Permissions: a run is launched, never edited; its outcome is not for a form to change.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("recommender.train")

    def has_change_permission(self, request: HttpRequest, obj: TrainingRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TrainingRun | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.is_disposable)

    def has_train_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("recommender.train")

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("recommender.publish")

    # Launching

    def get_form(
        self, request: HttpRequest, obj: TrainingRun | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[TrainingRun]]:
        return super().get_form(request, obj, change, **kwargs) if obj else LaunchForm

    def get_fieldsets(self, request: HttpRequest, obj: TrainingRun | None = None) -> Any:
        return (
            super().get_fieldsets(request, obj)
            if obj
            else [(None, {"fields": ["family", "config", "publishes_itself"]})]
        )

    def save_model(self, request: HttpRequest, obj: TrainingRun, form: Any, change: bool) -> None:
        run = services.launch_training(
            started_by=request.user,  # type: ignore[arg-type]  # the admin admits no anonymous user
            family=obj.family,
            config=obj.config,
            publishes_itself=obj.publishes_itself,
        )
        obj.pk = run.pk

    # Buttons and actions

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("train-now/", view(require_POST(self.train_now)), name="recommender_train_now"),
            path("roll-back/", view(require_POST(self.roll_back)), name="recommender_roll_back"),
            path("<int:pk>/progress/", view(require_safe(self.progress)), name="recommender_progress"),
            *super().get_urls(),
        ]

    def train_now(self, request: HttpRequest) -> HttpResponse:
        """Queue a training with the default configuration."""
        if not self.has_train_permission(request):
            raise PermissionDenied
        run = services.launch_training(started_by=request.user)  # type: ignore[arg-type]
        self.message_user(request, _("Training %(run)s is queued.") % {"run": run}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:recommender_trainingrun_change", args=[run.pk]))

    def roll_back(self, request: HttpRequest) -> HttpResponse:
        """Publish the model that was served before the present one."""
        if not self.has_publish_permission(request):
            raise PermissionDenied
        try:
            run = services.roll_back()
            self.message_user(request, _("%(run)s is served again.") % {"run": run}, messages.SUCCESS)
        except services.PublishError as error:
            self.message_user(request, str(error), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:recommender_trainingrun_changelist"))

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of a run's page that moves while it trains."""
        run = self.get_object(request, str(pk))
        if run is None or not self.has_view_permission(request, run):
            raise Http404
        return render(request, "admin/recommender/trainingrun/progress.html", self._progress_context(run))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(self._progress_context(run) if run else {})}
        if run:
            context |= {"curves": run.cluster_curves, "cluster_charts": cluster_charts(run.cluster_curves)}
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {
            "can_train": self.has_train_permission(request),
            "can_publish": self.has_publish_permission(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @admin.action(description=_("Publish the selected model"), permissions=["publish"])
    def publish_selected(self, request: HttpRequest, queryset: QuerySet[TrainingRun]) -> None:
        if queryset.count() != 1:
            self.message_user(request, _("Choose one run: one model is served at a time."), messages.ERROR)
            return
        run = queryset.get()
        try:
            services.publish(run)
            self.message_user(request, _("%(run)s is served now.") % {"run": run}, messages.SUCCESS)
        except services.PublishError as error:
            self.message_user(request, str(error), messages.ERROR)

    @admin.action(description=_("Retire the selected models"), permissions=["publish"])
    def retire_selected(self, request: HttpRequest, queryset: QuerySet[TrainingRun]) -> None:
        for run in queryset:
            try:
                services.retire(run)
                self.message_user(request, _("%(run)s is retired.") % {"run": run}, messages.SUCCESS)
            except lifecycle.ImpossibleMove as error:
                self.message_user(request, str(error), messages.ERROR)

    @admin.action(description=_("Cancel the selected trainings"), permissions=["train"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[TrainingRun]) -> None:
        for run in queryset:
            try:
                services.cancel(run)
                self.message_user(request, _("%(run)s is asked to stop.") % {"run": run}, messages.SUCCESS)
            except lifecycle.ImpossibleMove as error:
                self.message_user(request, str(error), messages.ERROR)

    # Deleting: with the files, and never what is served or worked on

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the confirmation lists. The lines of the log go with their run and need no right of their own."""
        refused = [f"{run}: {run.get_state_display()}" for run in objs if not run.is_disposable]
        shown = [str(run) for run in objs if run.is_disposable]
        return shown, {self.model._meta.verbose_name_plural: len(shown)}, set(), refused

    def delete_model(self, request: HttpRequest, obj: TrainingRun) -> None:
        services.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[TrainingRun]) -> None:
        with transaction.atomic():
            for run in queryset:
                services.delete(run)

    # Columns

    @admin.display(description=_("state"), ordering="state")
    def state_label(self, run: TrainingRun) -> str:
        label = run.get_phase_display() if run.state == run.State.RUNNING else run.get_state_display()
        return format_html('<span class="run-state run-state-{}">{}</span>', run.state, label)

    @admin.display(description=_("progress"))
    def progress_bar(self, run: TrainingRun) -> str:
        percent = f"{run.progress:.0%}"
        return format_html('<progress max="1" value="{}" title="{}">{}</progress>', run.progress, percent, percent)

    @admin.display(description=_("loss"))
    def last_loss(self, run: TrainingRun) -> str:
        last = run.losses[-1] if run.losses else {}
        return f"{last.get('validation_mse', last['train_loss']):.3f}" if last else "-"

    def _progress_context(self, run: TrainingRun) -> dict[str, Any]:
        chart = ""
        if len(run.losses) > 1:
            epochs = [entry["epoch"] for entry in run.losses]
            text = Text(
                title=str(_("Loss by epoch")),
                description=str(_("How far the model is from the ratings it learns from, and from those kept apart.")),
                x_label=str(_("epoch")),
                y_label=str(_("loss")),
            )
            names = {"train_loss": _("training"), "validation_mse": _("validation")}
            lines = [
                Series(str(label), epochs, [entry[name] for entry in run.losses])
                for name, label in names.items()
                if name in run.losses[0]
            ]
            chart = mark_safe(line_chart(text, lines, log_y=True))  # noqa: S308  the chart escapes its words
        left = run.seconds_left
        return {
            "run": run,
            "percent": f"{run.progress:.0%}",
            "loss": self.last_loss(run),
            "time_left": None if left is None else timedelta(seconds=round(left)),
            "loss_chart": chart,
            "log": run.log.all(),
        }
