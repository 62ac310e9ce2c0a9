"""Staff launch experiments here, watch them, and read what the judge said."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from common.admin import AuditedAdmin
from evaluation.judging.admin import pages, results_page
from evaluation.judging.admin.forms import ALWAYS_OPEN, FIELDSETS, ExperimentForm
from evaluation.judging.models import Experiment, Judgement
from evaluation.judging.results import exporting
from evaluation.judging.running import services

S = Experiment.State
STYLE = {"all": ["evaluation/judging.css"]}
EXPORTS = {"csv": ("text/csv; charset=utf-8", exporting.as_csv), "json": ("application/json", exporting.as_json)}


@admin.register(Experiment)
class ExperimentAdmin(AuditedAdmin):
    form = ExperimentForm
    list_display = ["name", "state_label", "progress_bar", "tokens_spent", "money_spent", "created_by", "created_at"]
    list_filter = ["state"]
    list_select_related = ["created_by"]
    search_fields = ["name"]
    date_hierarchy = "created_at"
    fieldsets = FIELDSETS
    add_form_template = change_form_template = "admin/evaluation/experiment/change_form.html"
    change_list_template = "admin/evaluation/experiment/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Experiment]:
        is_ended = ~Q(judgements__state__in=Judgement.ACTIVE)
        found: QuerySet[Experiment] = super().get_queryset(request)
        return found.annotate(n=Count("judgements"), ended=Count("judgements", filter=is_ended))

    class Media:
        css = STYLE

    # Permissions

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("evaluation.run_experiment")

    def has_delete_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not obj.is_active)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the confirmation lists. What came of an experiment goes with it and needs no right of its own."""
        refused = [f"{one}: {one.get_state_display()}" for one in objs if one.is_active]
        shown = [str(one) for one in objs if not one.is_active]
        return shown, {self.model._meta.verbose_name_plural: len(shown)}, set(), refused

    # Describing

    def get_form(
        self, request: HttpRequest, obj: Experiment | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[Experiment]]:
        if obj and obj.state != S.DRAFT:
            # `runs` is declared, and would stay a field of the form that nobody sees.
            kwargs["form"] = type("OpenForm", (ExperimentForm,), {"runs": None})
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Experiment | None = None) -> list[str]:
        if obj is None or obj.state == S.DRAFT:
            return []
        return [name for _title, options in FIELDSETS for name in options["fields"] if name not in ALWAYS_OPEN]

    def save_model(self, request: HttpRequest, obj: Experiment, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]  # the admin admits no anonymous user
            obj.save()
            return
        # What workers count meanwhile stays as it is.
        obj.save(update_fields=[name for name in form.changed_data if name != "runs"])

    def response_add(self, request: HttpRequest, obj: Experiment, post_url_continue: str | None = None) -> HttpResponse:
        """To the page with the button that launches it."""
        self.message_user(request, _("%(name)s is a draft. Launch it when it is as it should be.") % {"name": obj})
        return HttpResponseRedirect(reverse("admin:evaluation_experiment_change", args=[obj.pk]))

    # Running

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        acts: dict[str, Callable[[HttpRequest, Experiment], str]] = {
            "launch": self._launch,
            "cancel": self._cancel,
            "resume": self._resume,
        }
        return [
            *(
                path(f"<int:pk>/{name}/", view(require_POST(self._acting(act))), name=f"evaluation_experiment_{name}")
                for name, act in acts.items()
            ),
            path("<int:pk>/results/", view(require_safe(self.results)), name="evaluation_experiment_results"),
            path("<int:pk>/export/<str:kind>/", view(require_safe(self.export)), name="evaluation_experiment_export"),
            path("<int:pk>/progress/", view(require_safe(self.progress)), name="evaluation_experiment_progress"),
            *super().get_urls(),
        ]

    def _acting(self, act: Callable[[HttpRequest, Experiment], str]) -> Callable[..., HttpResponse]:
        """The view that does something with an experiment and says so on its page."""

        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if not self.has_run_permission(request):
                raise PermissionDenied
            experiment = self.get_object(request, str(pk))
            if experiment is None:
                raise Http404
            try:
                self.message_user(request, act(request, experiment), messages.SUCCESS)
            except services.NotPossible as error:
                self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:evaluation_experiment_change", args=[pk]))

        return view

    def _launch(self, request: HttpRequest, experiment: Experiment) -> str:
        services.launch(experiment=experiment)
        return _("%(name)s is launched.") % {"name": experiment}

    def _cancel(self, request: HttpRequest, experiment: Experiment) -> str:
        services.cancel(experiment=experiment)
        return _("%(name)s is cancelled.") % {"name": experiment}

    def _resume(self, request: HttpRequest, experiment: Experiment) -> str:
        count = services.resume(experiment=experiment)
        message = ngettext("%(count)s judgement is asked for.", "%(count)s judgements are asked for.", count)
        return message % {"count": count}

    def results(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What came of an experiment so far."""
        experiment = self._seen(request, pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Results"),
            "opts": self.opts,
            **results_page.context(experiment),
        }
        return render(request, "admin/evaluation/experiment/results.html", context)

    def export(self, request: HttpRequest, pk: int, kind: str) -> StreamingHttpResponse:
        """An experiment as a file."""
        experiment = self._seen(request, pk)
        if kind not in EXPORTS:
            raise Http404
        content_type, write = EXPORTS[kind]
        name = f"{slugify(experiment.name) or experiment.pk}.{kind}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(write(experiment), content_type=content_type, headers=headers)

    def _seen(self, request: HttpRequest, pk: int) -> Experiment:
        """An experiment that this person may look at."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(Experiment, pk=pk)

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of an experiment's page that moves while it runs."""
        experiment = self.get_object(request, str(pk))
        if experiment is None or not self.has_view_permission(request, experiment):
            raise Http404
        context = {**self._running(request, experiment), "is_fragment": True}
        return render(request, "admin/evaluation/experiment/progress.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        experiment = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(self._running(request, experiment) if experiment else {})}
        return super().change_view(request, object_id, form_url, context)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return super().add_view(request, form_url, {**(extra_context or {}), "missing": pages.missing_judge()})

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "missing": pages.missing_judge()})

    def _running(self, request: HttpRequest, experiment: Experiment) -> dict[str, Any]:
        found = pages.progress(experiment)
        return {**found, "buttons": self._buttons(experiment, found) if self.has_run_permission(request) else []}

    def _buttons(self, experiment: Experiment, found: dict[str, Any]) -> list[tuple[str, str]]:
        """Address and label of what may be done with the experiment as it is."""
        offered = {
            S.DRAFT: [("launch", _("Launch"))],
            S.PREPARING: [("cancel", _("Cancel"))],
            S.RUNNING: [("cancel", _("Cancel"))],
            S.CANCELLED: [("resume", _("Resume"))],
            S.DONE: [("resume", _("Ask again for what has no score"))] if found["unscored"] else [],
        }[S(experiment.state)]
        address = "admin:evaluation_experiment_{}".format
        return [(reverse(address(name), args=[experiment.pk]), str(label)) for name, label in offered]

    # Columns

    @admin.display(description=_("state"), ordering="state")
    def state_label(self, experiment: Experiment) -> str:
        return format_html(
            '<span class="run-state run-state-{}">{}</span>', experiment.state, experiment.get_state_display()
        )

    @admin.display(description=_("progress"))
    def progress_bar(self, experiment: Experiment) -> str:
        n, ended = experiment.n, experiment.ended  # type: ignore[attr-defined]  # annotations of the list's query
        if not n:
            return "-"
        return format_html('<progress max="{}" value="{}"></progress> {} / {}', n, ended, ended, n)


class QuestionFilter(admin.SimpleListFilter):
    title = _("question")
    parameter_name = "question"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("list", _("One list")), ("pair", _("Two lists"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Judgement]) -> QuerySet[Judgement]:
        asked = {"list": True, "pair": False}.get(self.value() or "")
        return queryset if asked is None else queryset.filter(against__isnull=asked)


@admin.register(Judgement)
class JudgementAdmin(admin.ModelAdmin[Judgement]):
    list_display = ["__str__", "experiment", "state_label", "score", "repeat", "tokens", "cost", "finished_at"]
    list_filter = [
        "state",
        ("experiment", admin.RelatedOnlyFieldListFilter),
        "contestant__kind",
        "subject__stratum",
        QuestionFilter,
    ]
    list_select_related = ["experiment", "contestant", "against", "subject"]
    search_fields = ["=subject__member_id", "=subject__account__username", "contestant__label", "reason", "summary"]
    search_help_text = _("A member's number, an account's name, a contestant, or words of a summary or reason.")
    change_form_template = "admin/evaluation/judgement/change_form.html"
    fieldsets = [
        (None, {"fields": ["experiment", "state", "reason", "repeat"]}),
        (
            _("What it cost"),
            {"fields": ["model", "prompt_version", "attempts", "tokens_in", "tokens_out", "cost", "latency"]},
        ),
        (_("When"), {"fields": ["finished_at", "answered_from"]}),
    ]

    class Media:
        css = STYLE

    # What the judge said is not for a form to change.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Judgement | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Judgement | None = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        judgement = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(pages.figure(judgement) if judgement else {})}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("state"), ordering="state")
    def state_label(self, judgement: Judgement) -> str:
        return format_html(
            '<span class="run-state run-state-{}" title="{}">{}</span>',
            judgement.state,
            judgement.reason,
            judgement.get_state_display(),
        )

    @admin.display(description=_("overall score"), ordering="overall")
    def score(self, judgement: Judgement) -> str:
        return str(judgement.overall or judgement.get_preferred_display() or "-")

    @admin.display(description=_("latency, s"))
    def latency(self, judgement: Judgement) -> str:
        return "-" if judgement.latency_s is None else f"{judgement.latency_s:.1f}"

    @admin.display(description=_("tokens"))
    def tokens(self, judgement: Judgement) -> int:
        return judgement.tokens_in + judgement.tokens_out
