"""Makes docs/benchmarks.md and its pictures of benchmarks/results/*.json: `python -m benchmarks.report`."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS
from common.charts import Series, Text, line_chart

PAGE = RESULTS.parent.parent / "docs" / "benchmarks.md"
IMAGES = PAGE.parent / "images"
INTRODUCTION = """# Benchmarks

Made by `python -m benchmarks.report` from `benchmarks/results/`, which the commands below write. The machines were
shared and noisy: a comparison alternates both sides in one run, and its figure is the median ratio with the lowest and
the highest of the repeats behind it.
"""
#: Inside a picture, as no style sheet of a page reaches it there.
CHART_STYLE = """<style>
svg { color: #1c2530; background: #fff; font: 12px sans-serif; }
text { fill: currentColor; }
.chart-1 { color: #1f5fa8; } .chart-2 { color: #b93a29; }
.chart-dot { fill: currentColor; }
</style>"""
#: The metric that a control is there to raise.
RAISED = {"diversity": "genre diversity@10", "novelty": "novelty@10"}
METRICS = ("ndcg@10", "recall@20", "map@10", "precision@10", "ndcg@100", "recall@50", "coverage@10", "novelty@10")
LIKED = ("liked ndcg@10", "liked recall@20")
COST = ("training_s", "peak_memory_mb", "model_mb", "per_user_ms")
#: The metrics of benchmarks/liking.py and how its table calls them.
LIKING = {"liking_ndcg@10": "liking NDCG@10", "ndcg@10": "watch NDCG@10", "disliked@10": "disliked@10"}
BUCKETS = ("1-5", "6-20", "21-100", "over 100")


def page() -> str:
    """The text of docs/benchmarks.md."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return "\n".join([INTRODUCTION, *(section(result) for result in results)])


def pictures() -> dict[str, str]:
    """The file names and texts of the SVG pictures that the documents show."""
    figures = json.loads((RESULTS / "beyond_accuracy.json").read_text(encoding="utf-8"))["figures"]
    return {f"{control}.svg": trade_off(control, figures) for control in RAISED}


def trade_off(control: str, figures: Iterable[Mapping[str, Any]]) -> str:
    """What a control of `benchmarks.beyond_accuracy` costs in NDCG@10 for what it brings, as SVG."""
    start = "lists, one anime a franchise"
    metrics = [figure["metrics"] for figure in figures if figure["name"].startswith((start, f"lists, {control} "))]
    raised = RAISED[control]
    text = Text(
        title=f"What {control} costs",
        description=f"NDCG@10 against {raised} of the same lists, a point for each setting of the control.",
        x_label=raised.replace("@10", " of ten anime"),
        y_label="NDCG@10",
    )
    line = Series(control, [one[raised] for one in metrics], [one["ndcg@10"] for one in metrics])
    picture = line_chart(text, [line])
    opened = picture.index(">") + 1
    return f"{picture[:opened]}{CHART_STYLE}{picture[opened:]}\n"


def section(result: Mapping[str, Any]) -> str:
    """One benchmark: its command, what it ran on, and its figures."""
    tables = TABLES.get(result["name"], _one_table)(result["figures"])
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    where = f"{result['date']}, {result['cores']} cores, Python {result['python']}, {versions}"
    return f"## {result['name']}\n\n    {result['command']}\n\nData: {result['data']}. {where}.\n\n{tables}\n"


def _plain(figures: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    rows = [["figure", "value", "unit"]]
    for figure in figures:
        value = _number(figure["value"]) if "value" in figure else _ratio(figure)
        rows.append([figure["name"], value, figure["unit"]])
    return rows


def _ratio(figure: Mapping[str, Any]) -> str:
    low, high = figure["spread"]
    return f"{_number(figure['ratio'])} ({_number(low)} to {_number(high)})"


def _quality(figures: Iterable[Mapping[str, Any]]) -> str:
    """The tables of benchmarks/quality.py: lists, those by what was folded in, and what each method costs."""
    figures = list(figures)
    lists = [["method", *METRICS, "ours / it, NDCG@10", "ours / it, Recall@20"]]
    for figure in figures:
        ours = [figure.get(f"ours over it, {metric}", {}).get("ratio") for metric in ("ndcg@10", "recall@20")]
        lists.append([*_row(figure, METRICS), *("-" if ratio is None else f"{ratio:.3f}" for ratio in ours)])
    by_length = [f"{metric}, {bucket} folded in" for metric in ("ndcg@10", "recall@20") for bucket in BUCKETS]
    folded = [*by_length, "ndcg@10, 3 ratings"]
    parts = {
        "Every rated anime of the other half is relevant.": lists,
        "Those rated 8 or more are relevant.": [["method", *LIKED], *(_row(figure, LIKED) for figure in figures)],
        "By how many ratings are folded in. The last column folds in 3 of the history, however long it is.": [
            ["method", *folded],
            *(_row(figure, folded) for figure in figures),
        ],
        "What a method costs: medians of the seeds, on a shared machine.": [
            ["method", *COST, "setting"],
            *([*_row(figure, COST), _setting(figure)] for figure in figures),
        ],
    }
    return "\n\n".join(f"{title}\n\n{_table(rows)}" for title, rows in parts.items())


def _liking(figures: Iterable[Mapping[str, Any]]) -> str:
    """The table of benchmarks/liking.py: each metric with its 95 % interval, and its difference from one row."""
    rows = [["order", *(f"{title}{part}" for title in LIKING.values() for part in ("", ", difference"))]]
    for figure in figures:
        row = [figure["name"]]
        for metric in LIKING:
            found = figure["metrics"][metric]
            row.append(f"{found['mean']:.4f} ({found['low']:.4f} to {found['high']:.4f})")
            row.append("{:+.4f} ({:+.4f} to {:+.4f})".format(*found["difference"]))
        rows.append(row)
    return f"Differences are paired, from the row that reads every rating.\n\n{_table(rows)}"


def _one_table(figures: Iterable[Mapping[str, Any]]) -> str:
    return _table(_plain(figures))


def _row(figure: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    metrics = figure["metrics"]
    return [figure["name"], *(_number(metrics[name]) if name in metrics else "-" for name in names)]


def _setting(figure: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in figure["setting"].items()) or "-"


def _number(value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


#: Benchmarks that are shown as more than figures with their units.
TABLES = {"quality": _quality, "liking": _liking}


def main(path: Path = PAGE) -> None:
    path.write_text(page(), encoding="utf-8")
    for name, text in pictures().items():
        (IMAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
