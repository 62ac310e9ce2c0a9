"""The report of a reproduction: one page that a reader can check, and the numbers behind it."""

import json
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from evaluation.offline.glossary import BEYOND, ENTRIES, TABLE_METRICS
from evaluation.paper.charts import figures
from recommender.engine.popularity import PRIOR_QUANTILE, PRIOR_STRENGTH

Findings = dict[str, Any]

STYLE = "evaluation/report.css"
#: Keys of findings that are times, which no seed repeats.
TIMES = ("exact_ms", "cluster_ms", "seconds")
#: What the paper's published notebook prints for so many users: of all rated anime, of the nearest cluster's.
PUBLISHED_ERRORS = {50: (2.5752, 2.2988), 100: (2.7629, 2.6911), 250: (2.8873, 2.8596)}
#: The definitions that the paper's own table is shown under, from its own to the correct ones.
DEFINITIONS = (
    ("published", "as the paper prints it"),
    ("published_procedure", "our lists, its whole procedure"),
    ("published_metrics", "our lists, its metrics"),
    ("correct", "our lists, correct metrics"),
)


def write_report(findings: Findings, directory: Path) -> Path:
    """Write `index.html`, `numbers.json` and `findings.json` into the directory; returns the page's path.

    The page needs no other file. `numbers.json` is the same whenever data, settings and machine are; `findings.json`
    holds the times, too.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    style = finders.find(STYLE)
    assert isinstance(style, str)
    for name, content in (("numbers.json", without_times(findings)), ("findings.json", findings)):
        (directory / name).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    page = directory / "index.html"
    context = {
        "body": render_findings(findings),
        "style": mark_safe(Path(style).read_text()),  # noqa: S308  our own style sheet
        **_about(findings),
    }
    page.write_text(render_to_string("evaluation/report.html", context))
    return page


def without_times(findings: Any) -> Any:
    """What the same seed must repeat: the findings without what a clock said."""
    if isinstance(findings, dict):
        return {key: without_times(value) for key, value in findings.items() if key not in TIMES}
    if isinstance(findings, list):
        return [without_times(value) for value in findings]
    return findings


def render_findings(findings: Findings) -> SafeString:
    """The sections of the report without the page around them, for a page of the site to show."""
    context = {
        **findings,
        **_about(findings),
        "figures": {name: mark_safe(svg) for name, svg in figures(findings).items()},  # noqa: S308  escaped by charts
        "all_methods": _with_cells(findings["methods"]),
        "ranked_for_seen": _with_cells(findings["seen_users"]),
        "accuracy_heads": [ENTRIES[name] for name in TABLE_METRICS],
        "beyond_heads": list(BEYOND.values()),
        "beyond_rows": [
            (row["title"], [f"{row[name]:.{entry.digits}f}" for name, entry in BEYOND.items()])
            for row in findings["beyond_accuracy"]
        ],
        "titles": {row["key"]: row["title"] for row in findings["methods"]},
        "differences": [{**row, "title": _title(findings, row["key"])} for row in findings["differences"]],
        "paper_rows": [
            (method["title"], label, method[name]) for method in findings["paper_table"] for name, label in DEFINITIONS
        ],
        "cold_start_pairs": list(
            zip(findings["cold_start"]["paper_weighted_score"], findings["cold_start"]["bayesian_average"], strict=True)
        ),
        "prior": {"strength": round(PRIOR_STRENGTH), "percent": round(100 * PRIOR_QUANTILE)},
        "best_k": {
            "silhouette": _best_k(findings["cluster_choice"], "silhouette", max),
            "davies_bouldin": _best_k(findings["cluster_choice"], "davies_bouldin", min),
        },
        "published_errors": [
            {**row, "published": PUBLISHED_ERRORS.get(row["users"])}
            for row in findings["seen_user_errors"]["as_published"]
        ],
        "best_epoch": min(findings["training"], key=lambda row: float(row["validation_mse"])),
        "last_epoch": findings["training"][-1],
    }
    return render_to_string("evaluation/_findings.html", context)


def _about(findings: Findings) -> Findings:
    return {"about": findings["about"]}


def _with_cells(rows: list[Findings]) -> list[Findings]:
    """Metric names hold signs that a template cannot spell, so their intervals come as a list."""
    return [{**row, "cells": [row["metrics"][name] for name in TABLE_METRICS]} for row in rows]


def _title(findings: Findings, key: str) -> str:
    return next(str(row["title"]) for row in findings["methods"] if row["key"] == key)


def _best_k(choice: Findings, name: str, best: Any) -> int:
    return int(choice["k"][choice[name].index(best(choice[name]))])
