"""Writes what a benchmark measured to `benchmarks/results/NAME.json`, from which docs/benchmarks.md is made."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "jax", "flax", "optax", "django", "psycopg", "scikit-learn", "implicit")


def write_result(name: str, *, command: str, data: str, figures: Sequence[Mapping[str, Any]]) -> None:
    """Write the file, and print the figures.

    Args:
        name: of the benchmark.
        command: that makes these figures again.
        data: what was measured on, with its fingerprint or seed.
        figures: each with `name`, `unit`, and `value`, or `ratio` with its `spread` over the repeats.
    """
    result = {
        "name": name,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "data": data,
        "figures": list(figures),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for figure in figures:
        shown = f"{figure['value']:.4g}" if "value" in figure else f"{figure['ratio']:.3g} {figure['spread']}"
        print(f"{figure['name']}: {shown} {figure['unit']}")
