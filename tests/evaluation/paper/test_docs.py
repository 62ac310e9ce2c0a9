"""What docs/paper.md says is in the code, in the committed report and in the benchmark's results."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PAGE = (ROOT / "docs" / "paper.md").read_text()
NUMBERS = json.loads((ROOT / "docs" / "paper-report" / "numbers.json").read_text())


def test_every_file_that_the_page_names_is_there():
    parts = re.findall(r"^\|.*\|$", PAGE.split("## Where each part is")[1].split("##")[0], re.MULTILINE)
    assert len(parts) > 15
    for part in parts[2:]:
        files = re.findall(r"`([\w/]+\.py)`", part)
        folder = next(Path(name).parent for name in files if "/" in name)
        assert files
        for name in files:
            assert (ROOT / name).exists() or (ROOT / folder / name).exists(), f"{name} in {part}"


def test_the_lists_of_twenty_are_those_of_the_report():
    for key, column in (("paper_weighted_score", 1), ("bayesian_average", 4)):
        rows = [row.split(" | ") for row in re.findall(r"^\| \d+ \|.*\|$", PAGE, re.MULTILINE)]
        assert [row[column] for row in rows] == [row["name"] for row in NUMBERS["cold_start"][key]]


def test_the_precision_of_the_cold_start_is_what_was_measured():
    results = json.loads((ROOT / "benchmarks" / "results" / "cold_start.json").read_text())["figures"]
    measured = {(figure["name"], figure["unit"]): figure["value"] for figure in results}
    for label, name in {
        "weighted score as published": "weighted score as published",
        "Bayesian average, the default": "default",
        "most rated by training users": "most rated by training users",
    }.items():
        values = (measured[f"{name}; {who}", "precision@10"] for who in ("training users", "held-out users"))
        assert f"| {label} | {' | '.join(f'{value:.3f}' for value in values)} |" in PAGE


def test_the_report_is_of_the_full_grid_and_readable_alone():
    html = (ROOT / "docs" / "paper-report" / "index.html").read_text()
    assert NUMBERS["about"]["settings"]["epochs"] == 35
    assert NUMBERS["about"]["settings"]["search_items"][-1] == 1_000_000
    assert NUMBERS["about"]["fingerprint"] in html
    assert "<link" not in html
    assert "<script" not in html
    assert len(html) < 1_500_000
