"""The curves by which the number of clusters is chosen, as pictures for a run's page."""

from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from common.charts import Series, Text, line_chart


def cluster_charts(curves: dict[str, Any]) -> list[SafeString]:
    """One chart a curve of `TrainingRun.cluster_curves`; none when the run has no curves."""
    if not curves:
        return []
    elbow = curves["elbow"]
    bend = _("The elbow is at %(k)s clusters (Kneedle).") % {"k": elbow} if elbow else _("No elbow was found.")
    words = {
        "inertia": (_("Inertia"), f"{_('Sum of squared distances of the anime to their centroids.')} {bend}"),
        "silhouette": (
            _("Silhouette"),
            _("How much nearer anime are to their own cluster than to the next: -1 to 1, higher is better."),
        ),
        "davies_bouldin": (
            _("Davies-Bouldin index"),
            _("Spread of the clusters by their separation, the worst of each: lower is better."),
        ),
        "entropy": (
            _("Normalised entropy of sizes"),
            _("How evenly the anime are spread over the clusters: 1 when all are of one size."),
        ),
    }
    charts = []
    for name, (title, description) in words.items():
        text = Text(title, description, _("clusters"), title)
        lines = [Series(title, curves["k"], curves[name])]
        if name == "inertia" and elbow:
            lines.append(
                Series(_("elbow"), [elbow, elbow], [min(curves[name]), curves[name][curves["k"].index(elbow)]])
            )
        charts.append(mark_safe(line_chart(text, lines)))  # noqa: S308  the chart escapes its words
    return charts
