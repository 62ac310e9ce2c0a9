"""What people said of the judge, for staff to read; who has not begun can hand over."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from common.admin import AuditedAdmin
from evaluation.judging.models import Review
from evaluation.judging.review import reviewing


class ReassignForm(forms.ModelForm[Review]):
    """Gives a review to somebody else."""

    class Meta:
        model = Review
        fields = ["reviewer"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        reviewer = cleaned.get("reviewer")
        if reviewer is not None and "reviewer" in self.changed_data:
            if not reviewer.has_perm("evaluation.change_review"):
                self.add_error("reviewer", _("This account may not review: add it to the group Reviewer."))
            elif reason := reviewing.why_not_reassigned(self.instance, reviewer):
                self.add_error("reviewer", reason)
        return cleaned


@admin.register(Review)
class ReviewAdmin(AuditedAdmin):
    form = ReassignForm
    list_display = ["anime", "experiment", "reviewer", "state_label", "score", "of_judge", "agrees", "finished_at"]
    list_filter = ["state", "agrees", ("item__judgement__experiment", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["item__anime", "item__judgement__experiment", "reviewer"]
    search_fields = ["item__anime__name", "reviewer__username", "comment"]
    raw_id_fields = ["reviewer"]
    readonly_fields = [
        "anime",
        "experiment",
        "state",
        "score",
        "of_judge",
        "explanation",
        "agrees",
        "comment",
        "assigned_at",
    ]
    fields = ["reviewer", *readonly_fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Review | None = None) -> bool:
        """Whoever runs experiments hands reviews over; a reviewer answers on the site, and changes nobody else's."""
        return request.user.has_perm("evaluation.run_experiment")

    def has_delete_permission(self, request: HttpRequest, obj: Review | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        if "reviewer" in form.changed_data:
            reviewing.reassign(review=obj, to=obj.reviewer)

    # Columns

    @admin.display(description=_("anime"), ordering="item__anime__name")
    def anime(self, review: Review) -> str:
        return review.item.anime.name

    @admin.display(description=_("experiment"), ordering="item__judgement__experiment")
    def experiment(self, review: Review) -> str:
        return str(review.item.judgement.experiment)

    @admin.display(description=_("state"), ordering="state")
    def state_label(self, review: Review) -> str:
        return format_html('<span class="run-state run-state-{}">{}</span>', review.state, review.get_state_display())

    @admin.display(description=_("the judge's score"), ordering="item__score")
    def of_judge(self, review: Review) -> int:
        return review.item.score

    @admin.display(description=_("the judge's explanation"))
    def explanation(self, review: Review) -> str:
        return review.item.explanation
