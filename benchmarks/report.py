"""Makes docs/benchmarks.md from benchmarks/results/*.json, so that nothing is typed: `python -m benchmarks.report`."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS

PAGE = RESULTS.parent.parent / "docs" / "benchmarks.md"
INTRODUCTION = """# Benchmarks

Made by `python -m benchmarks.report` from `benchmarks/results/`, which the commands below write. The machines were
shared and noisy: a comparison alternates both sides in one run, and its figure is the median ratio with the lowest and
the highest of the repeats behind it.
"""
METRICS = ("ndcg@10", "recall@20", "map@10", "precision@10", "ndcg@100", "recall@50", "coverage@10", "training_s")


def page() -> str:
    """The text of docs/benchmarks.md."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return "\n".join([INTRODUCTION, *(section(result) for result in results)])


def section(result: Mapping[str, Any]) -> str:
    """One benchmark: its command, what it ran on, and its figures."""
    figures = result["figures"]
    rows = _quality(figures) if result["name"] == "quality" else _plain(figures)
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    where = f"{result['date']}, {result['cores']} cores, Python {result['python']}, {versions}"
    return f"## {result['name']}\n\n    {result['command']}\n\nData: {result['data']}. {where}.\n\n{_table(rows)}\n"


def _plain(figures: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    rows = [["figure", "value", "unit"]]
    for figure in figures:
        value = _number(figure["value"]) if "value" in figure else _ratio(figure)
        rows.append([figure["name"], value, figure["unit"]])
    return rows


def _ratio(figure: Mapping[str, Any]) -> str:
    low, high = figure["spread"]
    return f"{_number(figure['ratio'])} ({_number(low)} to {_number(high)})"


def _quality(figures: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    rows = [["method", *METRICS, "ours / it, NDCG@10", "ours / it, Recall@20"]]
    for figure in figures:
        ours = [figure.get(f"ours over it, {metric}", {}).get("ratio") for metric in ("ndcg@10", "recall@20")]
        values = [_number(figure["metrics"][metric]) if metric in figure["metrics"] else "-" for metric in METRICS]
        rows.append([figure["name"], *values, *("-" if ratio is None else f"{ratio:.3f}" for ratio in ours)])
    return rows


def _number(value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def main(path: Path = PAGE) -> None:
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
