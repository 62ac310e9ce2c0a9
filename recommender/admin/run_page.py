"""What the admin's page of one run shows beside its fields: buttons for what its state allows, and tables of facts."""

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from recommender.admin.comparison import in_words
from recommender.models import TrainingRun

S = TrainingRun.State
#: Actions of the list as a run's own page calls them.
LABELS = {
    "cancel_selected": _("Cancel the training"),
    "publish_selected": _("Publish"),
    "retire_selected": _("Retire"),
    "evaluate_selected": _("Evaluate"),
    "reproduce_selected": _("Report the paper with these settings"),
}
#: Which of them it offers, by its state.
ACTIONS: dict[str, tuple[str, ...]] = {
    S.QUEUED: ("cancel_selected",),
    S.RUNNING: ("cancel_selected",),
    S.EVALUATING: ("cancel_selected",),
    S.READY: ("publish_selected", "retire_selected", "evaluate_selected", "reproduce_selected"),
    S.PUBLISHED: ("evaluate_selected", "reproduce_selected"),
    S.RETIRED: ("publish_selected", "evaluate_selected", "reproduce_selected"),
}


def actions_of(run: TrainingRun) -> list[str]:
    """Names of the actions that make sense for `run` as it is."""
    names = ACTIONS.get(run.state, ())
    return [name for name in names if name != "reproduce_selected" or run.family == TrainingRun.Family.PAPER]


def facts(values: Mapping[str, Any]) -> SafeString | str:
    """Names and values as a table; "-" when there are none."""
    if not values:
        return "-"
    rows = format_html_join(
        "",
        '<tr><th scope="row">{}</th><td>{}</td></tr>',
        (
            (name.replace("_", " "), value if isinstance(value, str) else in_words(value))
            for name, value in values.items()
        ),
    )
    return format_html('<table class="facts">{}</table>', rows)
