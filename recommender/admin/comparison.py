"""Up to five runs side by side: what they were told, what came of it, and how their losses fell."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from common.charts import Bars, Series, Text, bar_chart, line_chart, number_text
from recommender.models import TrainingRun

MAX_RUNS = 5


@dataclass(frozen=True)
class Row:
    """One setting or metric: its name, what each run has, and whether they differ."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def settings(runs: Sequence[TrainingRun]) -> list[Row]:
    """Family, data, filter and every setting; those that differ first."""
    described = [
        {
            _("model family"): run.get_family_display(),
            _("data"): run.data_fingerprint[:12],
            **{f"{_('data filter')}: {name}": value for name, value in run.data_filter.items()},
            **run.config,
        }
        for run in runs
    ]
    return sorted(_rows(described), key=lambda row: not row.differs)


def metrics(runs: Sequence[TrainingRun]) -> list[Row]:
    """Counts and metrics, those with an interval as "mean (low to high)"."""
    return _rows([{**run.counts, **{name: in_words(value) for name, value in run.metrics.items()}} for run in runs])


def in_words(value: Any) -> str:
    """A metric as it is kept with a run: a number, or one with an interval."""
    if isinstance(value, Mapping):
        number, low, high = (number_text(value[name]) for name in ("mean", "low", "high"))
        return f"{number} ({low} – {high})"
    return number_text(value) if isinstance(value, int | float) else json.dumps(value)


def metric_charts(runs: Sequence[TrainingRun]) -> list[tuple[str, str]]:
    """Name and chart: one bar chart with whiskers for each metric that has an interval in every run."""
    shared = [
        name
        for name, value in runs[0].metrics.items()
        if isinstance(value, Mapping) and all(isinstance(run.metrics.get(name), Mapping) for run in runs)
    ]
    charts = []
    for name in shared:
        found = [run.metrics[name] for run in runs]
        text = Text(title=name, description=_("Mean and 95 % interval over users."), x_label="", y_label=name)
        bars = Bars(name, [one["mean"] for one in found], [(one["low"], one["high"]) for one in found])
        charts.append((name, bar_chart(text, [str(run) for run in runs], [bars])))
    return charts


def loss_chart(runs: Sequence[TrainingRun]) -> str:
    """The runs' losses by epoch, or nothing when none has two epochs.

    Validation losses where there are some, because those of different families measure different things.
    """
    lines = []
    for run in runs:
        measured = [(name, label) for name, label in _losses() if run.losses and name in run.losses[0]]
        lines += [_line(run, name, f"{run}, {label}") for name, label in measured[-1:]]
    return _loss_chart(lines)


def loss_chart_of(run: TrainingRun) -> str:
    """Every loss of one run by epoch, or nothing before its second."""
    return _loss_chart([_line(run, name, label) for name, label in _losses() if run.losses and name in run.losses[0]])


def _losses() -> list[tuple[str, str]]:
    return [("train_loss", _("training")), ("validation_mse", _("validation"))]


def _line(run: TrainingRun, name: str, label: str) -> Series:
    return Series(label, [entry["epoch"] for entry in run.losses], [entry[name] for entry in run.losses])


def _loss_chart(lines: Sequence[Series]) -> str:
    lines = [line for line in lines if len(line.x) > 1]
    if not lines:
        return ""
    text = Text(
        title=_("Loss by epoch"),
        description=_("Error of the model on its training data and on held-out ratings."),
        x_label=_("epoch"),
        y_label=_("loss"),
    )
    return line_chart(text, lines, log_y=all(min(line.y) > 0 for line in lines))


def _rows(described: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = dict.fromkeys(name for one in described for name in one)
    return [Row(name, tuple(_text(one.get(name)) for one in described)) for name in names]


def _text(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else in_words(value)
