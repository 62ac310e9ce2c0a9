"""The report of a reproduction: one page that a reader can check, and the numbers behind it."""

import json
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from evaluation.report_figures import figures
from evaluation.reproduction import TABLE_METRICS, without_times

Findings = dict[str, Any]

STYLE = "evaluation/report.css"
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
    """Write `index.html`, `report.css`, `numbers.json` and `times.json` into the directory; returns the page's path.

    `numbers.json` is the same whenever data, settings and machine are; `findings.json` holds the times, too.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    style = finders.find(STYLE)
    assert isinstance(style, str)
    (directory / "report.css").write_text(Path(style).read_text())
    for name, content in (("numbers.json", without_times(findings)), ("findings.json", findings)):
        (directory / name).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    page = directory / "index.html"
    page.write_text(render_to_string("evaluation/report.html", {"body": render_findings(findings), **_about(findings)}))
    return page


def render_findings(findings: Findings) -> SafeString:
    """The sections of the report without the page around them, for a page of the site to show."""
    context = {
        **findings,
        **_about(findings),
        "figures": {name: mark_safe(svg) for name, svg in figures(findings).items()},  # noqa: S308  escaped by charts
        "all_methods": _with_cells(findings["methods"]),
        "ranked_for_seen": _with_cells(findings["seen_users"]),
        "titles": {row["key"]: row["title"] for row in findings["methods"]},
        "differences": [{**row, "title": _title(findings, row["key"])} for row in findings["differences"]],
        "paper_rows": [
            (method["title"], label, method[name]) for method in findings["paper_table"] for name, label in DEFINITIONS
        ],
        "cold_start_pairs": list(
            zip(findings["cold_start"]["paper_weighted_score"], findings["cold_start"]["bayesian_average"], strict=True)
        ),
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
