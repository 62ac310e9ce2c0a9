"""What was measured of runs, as tables and pictures for the admin."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from common.charts import Bars, Text, bar_chart, number_text
from evaluation.models import Evaluation
from evaluation.offline.glossary import BEYOND, ENTRIES, TABLE_METRICS, Entry

#: The metrics that are drawn.
DRAWN = ("ndcg@10", "recall@100")


#: A number and, where there is one, its interval.
Cell = tuple[str, str]


@dataclass(frozen=True)
class Table:
    """Metrics by method: `heads` of the columns behind the name, and a row of cells for each method."""

    heads: Sequence[Entry]
    rows: Sequence[tuple[str, str, Sequence[Cell]]]


def tables(evaluation: Evaluation) -> list[Table]:
    """Every accuracy metric with its interval, and what the lists are like apart from hits; none before the end."""
    if not evaluation.methods:
        return []
    return [
        _table(
            evaluation, "metrics", TABLE_METRICS, lambda entry, value: (_digits(entry, value[0]), _range(entry, value))
        ),
        _table(evaluation, "beyond_accuracy", BEYOND, lambda entry, value: (_digits(entry, value), "")),
    ]


def pictures(evaluations: Sequence[Evaluation]) -> list[SafeString]:
    """A chart for each metric of `DRAWN`: methods side by side, runs in colours. None without a measured method."""
    measured = [one for one in evaluations if one.methods]
    if not measured:
        return []
    titles = {method["key"]: method["title"] for one in measured for method in one.methods}
    numbers = {key: str(number) for number, key in enumerate(titles, start=1)}
    charts = []
    for metric in DRAWN:
        entry = ENTRIES[metric]
        words = "; ".join(f"{numbers[key]}: {title}" for key, title in titles.items())
        text = Text(entry.name, words, _("method"), entry.name)
        groups = []
        for one in measured:
            found = [_of(one, key, metric) for key in titles]
            bounds = [(low, high) for _mean, low, high in found]
            groups.append(Bars(_label(one), [mean for mean, *_bounds in found], bounds))
        svg = bar_chart(text, list(numbers.values()), groups)
        charts.append(mark_safe(svg))  # noqa: S308  the chart escapes its words
    return charts


def legend(evaluations: Sequence[Evaluation]) -> list[tuple[int, str, str]]:
    """The numbers of `pictures`: number, title and definition of each method."""
    named = {method["key"]: (method["title"], method["definition"]) for one in evaluations for method in one.methods}
    return [(number, title, definition) for number, (title, definition) in enumerate(named.values(), start=1)]


def cell(evaluation: Evaluation, method: str, metric: str) -> str:
    """A mean with its interval, or a dash."""
    found = evaluation.method(method)
    if found is None:
        return "-"
    entry, value = ENTRIES[metric], found["metrics"][metric]
    return f"{_digits(entry, value[0])} ({_range(entry, value)})"


def _table(evaluation: Evaluation, part: str, names: Iterable[str], shown: Callable[[Entry, Any], Cell]) -> Table:
    # In the order of the glossary: the database has one of its own.
    measured = [name for name in names if name in evaluation.methods[0][part]]
    rows = [
        (method["title"], method["definition"], [shown(ENTRIES[name], method[part][name]) for name in measured])
        for method in evaluation.methods
    ]
    return Table([ENTRIES[name] for name in measured], rows)


def _of(evaluation: Evaluation, key: str, metric: str) -> tuple[float, float, float]:
    """Mean and bounds; zeros where the run has no such method, so that its bar is not there."""
    found = evaluation.method(key)
    if found is None:
        return 0.0, 0.0, 0.0
    mean, low, high = found["metrics"][metric]
    return mean, low, high


def _label(evaluation: Evaluation) -> str:
    return f"{evaluation.run}, {_('seed')} {evaluation.seed}"


def _digits(entry: Entry, value: float) -> str:
    return number_text(value) if abs(value) >= 1000 else f"{value:.{entry.digits}f}"


def _range(entry: Entry, value: Sequence[float]) -> str:
    return f"{_digits(entry, value[1])} to {_digits(entry, value[2])}"
