"""Staff launch, watch, publish and roll back trainings here."""

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

from recommender.admin import comparison, schedules, served_lists  # noqa: F401  registers itself
from recommender.admin.cluster_charts import cluster_charts
from recommender.admin.launching import LaunchForm
from recommender.admin.run_page import LABELS, actions_of, facts
from recommender.models import TrainingRun
from recommender.runs import lifecycle, services


@admin.register(TrainingRun)
class TrainingRunAdmin(admin.ModelAdmin[TrainingRun]):
    list_display = ["version", "state_label", "progress_bar", "last_loss", "started_by", "created_at"]
    list_filter = ["state", "family"]
    list_select_related = ["started_by"]
    date_hierarchy = "created_at"
    actions = ["compare_selected", "publish_selected", "retire_selected", "cancel_selected"]
    change_list_template = "admin/recommender/trainingrun/change_list.html"
    change_form_template = "admin/recommender/trainingrun/change_form.html"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "version",
                    "state_label",
                    "cause",
                    "started_by",
                    "worker",
                    "publishes_itself",
                    "waits_because",
                    "error",
                ]
            },
        ),
        (
            _("Model"),
            {
                "fields": [
                    "family",
                    "settings",
                    "filter",
                    "continued_from",
                    "data_fingerprint",
                    "counted",
                    "measured",
                ]
            },
        ),
        (_("When"), {"fields": ["created_at", "started_at", "finished_at", "duration", "published_at"]}),
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
        return super().get_fieldsets(request, obj) if obj else LaunchForm.fieldsets()

    def save_model(self, request: HttpRequest, obj: TrainingRun, form: Any, change: bool) -> None:
        run = services.launch_training(
            started_by=request.user,  # type: ignore[arg-type]  # the admin admits no anonymous user
            family=obj.family,
            config=form.cleaned_data["config"],
            data_filter=form.cleaned_data["data_filter"],
            warm_start=obj.warm_start,
            publishes_itself=obj.publishes_itself,
        )
        obj.pk = run.pk

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return super().add_view(request, form_url, {**(extra_context or {}), "launching": True})

    def response_add(
        self, request: HttpRequest, obj: TrainingRun, post_url_continue: str | None = None
    ) -> HttpResponse:
        """To the page where the training is to be watched."""
        self.message_user(request, _("Training %(run)s is queued.") % {"run": obj}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:recommender_trainingrun_change", args=[obj.pk]))

    # Buttons and actions

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("train-now/", view(require_POST(self.train_now)), name="recommender_train_now"),
            path("roll-back/", view(require_POST(self.roll_back)), name="recommender_roll_back"),
            path("compare/", view(require_safe(self.compare)), name="recommender_compare"),
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

    def compare(self, request: HttpRequest) -> HttpResponse:
        """Up to five runs side by side: `?runs=1,2,3`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = [int(part) for part in request.GET.get("runs", "").split(",") if part.isascii() and part.isdigit()]
        found = TrainingRun.objects.in_bulk([pk for pk in asked if pk < 2**63])
        runs = [found[pk] for pk in dict.fromkeys(asked) if pk in found][: comparison.MAX_RUNS]
        if not runs:
            raise Http404(_("There are no such runs."))
        charts = [*comparison.metric_charts(runs), (_("Loss by epoch"), comparison.loss_chart(runs))]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Compare runs"),
            "opts": self.opts,
            "runs": runs,
            "tables": [(_("Metrics"), comparison.metrics(runs)), (_("Settings"), comparison.settings(runs))],
            "charts": [(title, mark_safe(chart)) for title, chart in charts if chart],  # noqa: S308  they escape their words
        }
        return render(request, "admin/recommender/trainingrun/compare.html", context)

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of a run's page that moves while it trains."""
        run = self.get_object(request, str(pk))
        if run is None or not self.has_view_permission(request, run):
            raise Http404
        response = render(request, "admin/recommender/trainingrun/progress.html", self._progress_context(run))
        if not run.is_active:
            # The rest of the page has changed too: what came of it, and what may be done next.
            response.headers["HX-Refresh"] = "true"
        return response

    def buttons(self, request: HttpRequest, run: TrainingRun) -> list[tuple[str, str]]:
        """Name and label of the actions that `run`'s own page offers to this person."""
        allowed = self.get_actions(request)
        return [(name, str(LABELS[name])) for name in actions_of(run) if name in allowed]

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[TrainingRun], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Back to the run's own page where the action was taken there."""
        response = super().response_action(request, queryset, *args, **kwargs)
        pk = request.POST.get("page_of", "")
        moved_on = isinstance(response, HttpResponseRedirect) and response.url != request.get_full_path()
        if response is None or moved_on or not (pk.isascii() and pk.isdigit()):
            return response
        return HttpResponseRedirect(reverse("admin:recommender_trainingrun_change", args=[pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(self._progress_context(run) if run else {})}
        if run:
            context |= {
                "buttons": self.buttons(request, run),
                "curves": run.cluster_curves,
                "cluster_charts": cluster_charts(run.cluster_curves),
            }
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {
            "can_train": self.has_train_permission(request),
            "can_publish": self.has_publish_permission(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    @admin.action(description=_("Compare the selected runs"), permissions=["view"])
    def compare_selected(self, request: HttpRequest, queryset: QuerySet[TrainingRun]) -> HttpResponse | None:
        if not 2 <= queryset.count() <= comparison.MAX_RUNS:
            self.message_user(request, _("Choose two to five runs."), messages.ERROR)
            return None
        chosen = ",".join(str(pk) for pk in queryset.values_list("pk", flat=True))
        return HttpResponseRedirect(f"{reverse('admin:recommender_compare')}?runs={chosen}")

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

    @admin.display(description=_("settings"))
    def settings(self, run: TrainingRun) -> str:
        return facts(run.config)

    @admin.display(description=_("data filter"))
    def filter(self, run: TrainingRun) -> str:
        return facts(run.data_filter)

    @admin.display(description=_("counts"))
    def counted(self, run: TrainingRun) -> str:
        return facts(run.counts)

    @admin.display(description=_("metrics"))
    def measured(self, run: TrainingRun) -> str:
        return facts(run.metrics)

    @admin.display(description=_("duration"))
    def duration(self, run: TrainingRun) -> str:
        if run.started_at is None or run.finished_at is None:
            return "-"
        return str(timedelta(seconds=round((run.finished_at - run.started_at).total_seconds())))

    def _progress_context(self, run: TrainingRun) -> dict[str, Any]:
        left = run.seconds_left
        return {
            "run": run,
            "percent": f"{run.progress:.0%}",
            "loss": self.last_loss(run),
            "time_left": None if left is None else timedelta(seconds=round(left)),
            "loss_chart": mark_safe(comparison.loss_chart_of(run)),  # noqa: S308  the chart escapes its words
            "log": run.log.all(),
        }
