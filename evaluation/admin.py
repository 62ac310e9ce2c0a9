"""Staff measure runs here, and read and compare what came of it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from common.admin import AuditedAdmin
from evaluation.judging.admin import experiments as judging_admin  # noqa: F401  registers itself
from evaluation.judging.admin import reviews  # noqa: F401  registers itself
from evaluation.models import Evaluation, PaperReport
from evaluation.offline.glossary import INTERVAL, RELEVANT
from evaluation.paper import services as paper_services
from evaluation.paper.report_page import render_findings
from evaluation.runs import charts, services
from evaluation.runs.keys import BASELINE, MAIN
from recommender.admin.training_runs import TrainingRunAdmin
from recommender.models import TrainingRun

#: Runs that are compared on one page.
MAX_COMPARED = 5

admin.site.unregister(TrainingRun)


@admin.register(TrainingRun)
class EvaluatedRunAdmin(TrainingRunAdmin):
    """Runs, with what was measured of them."""

    list_display = [*TrainingRunAdmin.list_display, "ndcg"]
    actions = [*TrainingRunAdmin.actions, "evaluate_selected", "reproduce_selected"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainingRun]:
        return super().get_queryset(request).prefetch_related("evaluations")

    def has_evaluate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("evaluation.evaluate")

    @admin.action(description=_("Evaluate the selected models"), permissions=["evaluate"])
    def evaluate_selected(self, request: HttpRequest, queryset: QuerySet[TrainingRun]) -> None:
        for run in queryset:
            try:
                services.request_evaluation(run, again=True)
                self.message_user(request, _("The evaluation of %(run)s is queued.") % {"run": run}, messages.SUCCESS)
            except ValueError as error:
                self.message_user(request, str(error), messages.ERROR)

    @admin.action(description=_("Report the paper with the settings of the selected runs"), permissions=["evaluate"])
    def reproduce_selected(self, request: HttpRequest, queryset: QuerySet[TrainingRun]) -> HttpResponse | None:
        made = []
        for run in queryset:
            try:
                made.append(paper_services.request_report(run))
                self.message_user(request, _("The report of %(run)s is queued.") % {"run": run}, messages.SUCCESS)
            except ValueError as error:
                self.message_user(request, str(error), messages.ERROR)
        if len(made) != 1:
            return None
        return HttpResponseRedirect(reverse("admin:evaluation_paperreport_change", args=[made[0].pk]))

    @admin.display(description="NDCG@10")
    def ndcg(self, run: TrainingRun) -> str:
        done = [one for one in _evaluations(run) if one.state == Evaluation.State.DONE]
        if not done:
            return "-"
        last = max(done, key=lambda one: (one.finished_at, one.pk))
        return _link(last, charts.cell(last, MAIN, "ndcg@10"))


@admin.register(Evaluation)
class EvaluationAdmin(AuditedAdmin):
    list_display = ["__str__", "state_label", "ndcg", "popularity", "users", "created_at"]
    list_filter = ["state", "run__family"]
    list_select_related = ["run"]
    actions = ["compare_selected", "measure_again"]
    change_form_template = "admin/evaluation/evaluation/change_form.html"
    fieldsets = [
        (None, {"fields": ["run", "protocol", "seed", "n_users", "users", "data_fingerprint"]}),
        (_("When"), {"fields": ["created_at", "started_at", "finished_at"]}),
    ]

    # An evaluation is launched from a run, and what it found is not for a form to change.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Evaluation | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Evaluation | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not obj.is_active)

    def has_evaluate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("evaluation.evaluate")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("compare/", view(require_safe(self.compare)), name="evaluation_compare"),
            path("<int:pk>/found/", view(require_safe(self.found)), name="evaluation_found"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        evaluation = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(_found_context(evaluation) if evaluation else {})}
        return super().change_view(request, object_id, form_url, context)

    def found(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of an evaluation's page that changes while it is measured."""
        evaluation = self.get_object(request, str(pk))
        if evaluation is None or not self.has_view_permission(request, evaluation):
            raise Http404
        return render(request, "admin/evaluation/evaluation/found.html", _found_context(evaluation))

    def compare(self, request: HttpRequest) -> HttpResponse:
        """Up to five evaluations side by side, and each one's difference from the first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        keys = [int(text) for text in request.GET.get("ids", "").split(",") if text.isascii() and text.isdigit()]
        rows = self.get_queryset(request).select_related("run").in_bulk(keys[:MAX_COMPARED])
        chosen = [rows[key] for key in dict.fromkeys(keys[:MAX_COMPARED]) if key in rows]
        if not chosen:
            raise Http404(_("None of these evaluations is there."))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Evaluations compared"),
            "rows": [(one, *_cells(one), _difference(one, chosen[0])) for one in chosen],
            "charts": charts.pictures(chosen),
            "legend": charts.legend(chosen),
            "interval": INTERVAL,
        }
        return render(request, "admin/evaluation/evaluation/compare.html", context)

    @admin.action(description=_("Compare the selected evaluations"), permissions=["view"])
    def compare_selected(self, request: HttpRequest, queryset: QuerySet[Evaluation]) -> HttpResponse | None:
        keys = list(queryset.order_by("pk").values_list("pk", flat=True))
        if len(keys) > MAX_COMPARED:
            message = ngettext(
                "Choose at most %(count)s evaluation.", "Choose at most %(count)s evaluations.", MAX_COMPARED
            )
            self.message_user(request, message % {"count": MAX_COMPARED}, messages.ERROR)
            return None
        ids = ",".join(map(str, keys))
        return HttpResponseRedirect(f"{reverse('admin:evaluation_compare')}?ids={ids}")

    @admin.action(description=_("Measure again"), permissions=["evaluate"])
    def measure_again(self, request: HttpRequest, queryset: QuerySet[Evaluation]) -> None:
        for one in queryset.select_related("run"):
            try:
                services.request_evaluation(one.run, seed=one.seed, again=True)
                self.message_user(request, _("%(name)s is queued.") % {"name": one}, messages.SUCCESS)
            except ValueError as error:
                self.message_user(request, str(error), messages.ERROR)

    @admin.display(description=_("state"), ordering="state")
    def state_label(self, evaluation: Evaluation) -> str:
        return format_html(
            '<span class="run-state run-state-{}">{}</span>', evaluation.state, evaluation.get_state_display()
        )

    @admin.display(description=_("NDCG@10 as served"))
    def ndcg(self, evaluation: Evaluation) -> str:
        return charts.cell(evaluation, MAIN, "ndcg@10")

    @admin.display(description=_("NDCG@10 of popularity"))
    def popularity(self, evaluation: Evaluation) -> str:
        return charts.cell(evaluation, BASELINE, "ndcg@10")


@admin.register(PaperReport)
class PaperReportAdmin(AuditedAdmin):
    list_display = ["run", "state", "step", "created_at", "finished_at"]
    list_select_related = ["run"]
    list_filter = ["state"]
    change_form_template = "admin/evaluation/paperreport/change_form.html"
    fieldsets = [(None, {"fields": ["run", "is_quick", "created_at", "finished_at"]})]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: PaperReport | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PaperReport | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not obj.is_active)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaperReport]:
        """Without the findings, which are large, where they are not shown."""
        return super().get_queryset(request).defer("findings")

    def get_urls(self) -> list[URLPattern]:
        found = self.admin_site.admin_view(require_safe(self.found))
        return [path("<int:pk>/found/", found, name="evaluation_report_found"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        report = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(_report_context(report) if report else {})}
        return super().change_view(request, object_id, form_url, context)

    def found(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that changes while the report is made: its progress, and then itself."""
        report = self.get_object(request, str(pk))
        if report is None or not self.has_view_permission(request, report):
            raise Http404
        return render(request, "admin/evaluation/paperreport/found.html", _report_context(report))


def _report_context(report: PaperReport) -> dict[str, Any]:
    is_made = report.state == PaperReport.State.DONE
    return {"report": report, "body": render_findings(report.findings) if is_made else ""}


def _found_context(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "evaluation": evaluation,
        "tables": charts.tables(evaluation),
        "charts": charts.pictures([evaluation]),
        "legend": charts.legend([evaluation]),
        "differences": [{**row, "title": _title(evaluation, row["key"])} for row in evaluation.differences],
        "notes": (RELEVANT, INTERVAL),
    }


def _title(evaluation: Evaluation, key: str) -> str:
    found = evaluation.method(key)
    return str(found["title"]) if found else key


def _cells(evaluation: Evaluation) -> tuple[str, ...]:
    return tuple(charts.cell(evaluation, MAIN, metric) for metric in ("ndcg@10", "map@10", "recall@100"))


def _difference(one: Evaluation, first: Evaluation) -> str:
    if one.pk == first.pk:
        return "-"
    found = services.compare(one, first)
    if found is None:
        return str(_("not on the same people"))
    difference, low, high, _p = found.comparison
    return f"{difference:+.3f} ({low:+.3f} to {high:+.3f}), n = {found.users}"


def _evaluations(run: TrainingRun) -> list[Evaluation]:
    """Those that came with the list's query."""
    return list(run.evaluations.all())


def _link(evaluation: Evaluation, text: str) -> str:
    return format_html('<a href="{}">{}</a>', reverse("admin:evaluation_evaluation_change", args=[evaluation.pk]), text)
