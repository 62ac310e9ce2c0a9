"""`load_dataset` against a bare COPY of the same rows: `python -m benchmarks.importing`.

7.8 million generated rows in the shape of Kaggle's rating.csv. Both load into the same embedded server, in turn: the
bare COPY sends the file's bytes as they are into a logged table without constraint or index; ours reads, checks,
groups and stores them, in a process of its own whose peak memory is measured.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psycopg

from benchmarks.results import write_result

USERS, ANIME, ROWS = 73_516, 11_200, 7_813_737

CHILD = """
import os, resource, sys, time
os.environ.update(DJANGO_SETTINGS_MODULE="recsite.settings", SECRET_KEY="benchmark")
import django
django.setup()
from django.core.management import call_command
start = time.perf_counter()
call_command("load_dataset", sys.argv[1])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def generate(folder: Path, rows: int, seed: int = 0) -> int:
    """Write anime.csv and rating.csv, in order of user and anime as the real file is; return the number of rows."""
    rng = np.random.default_rng(seed)
    users = max(2, USERS * rows // ROWS)
    counts = rng.lognormal(3.9, 1.2, users)
    counts = np.clip(counts * rows / counts.sum(), 1, ANIME // 3).astype(int)
    weights = rng.lognormal(0, 2, ANIME)
    keys = np.log(weights)
    ids = np.sort(rng.choice(34_000, ANIME, replace=False) + 1)
    with (folder / "anime.csv").open("w") as file:
        file.write("anime_id,name,genre,type,episodes,rating,members\n")
        file.writelines(f'{i},Anime {i},"Action, Comedy",TV,12,7.5,{n}\n' for n, i in enumerate(ids))
    with (folder / "rating.csv").open("wb") as file:
        file.write(b"user_id,anime_id,rating\n")
        for user, count in enumerate(counts, start=1):
            chosen = np.sort(np.argpartition(-(keys + rng.gumbel(size=ANIME)), count)[:count])
            scores = rng.choice([-1, 5, 6, 7, 8, 9, 10], count, p=[0.19, 0.05, 0.1, 0.2, 0.22, 0.14, 0.1])
            file.write("".join(f"{user},{ids[i]},{s}\n" for i, s in zip(chosen, scores, strict=True)).encode())
    return int(counts.sum())


def bare_copy(url: str, path: Path) -> float:
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare (user_id int, anime_id int, rating smallint)")
        connection.commit()
        start = time.perf_counter()
        query = "COPY bare FROM STDIN (FORMAT csv, HEADER)"
        with path.open("rb") as file, connection.cursor() as cursor, cursor.copy(query) as copy:
            while block := file.read(2**20):
                copy.write(block)
        connection.commit()
        seconds = time.perf_counter() - start
        connection.execute("DROP TABLE bare")
    return seconds


def our_load(url: str, folder: Path) -> tuple[float, float]:
    """Seconds of a first load into an empty catalogue, from the command's call to its commit, and peak memory in MB.

    Starting Python and Django, a second or so whatever the number of rows, is not part of the rate.
    """
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE catalog_dataset, catalog_member, catalog_anime, catalog_genre CASCADE")
    done = subprocess.run([sys.executable, "-c", CHILD, str(folder)], check=True, capture_output=True, text=True)
    seconds, kilobytes = done.stdout.split()[-2:]
    return float(seconds), float(kilobytes) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["VAR_DIR"] = str(folder / "var")
        from recsite.local import embedded

        rows = generate(folder, arguments.rows)
        embedded.ensure(["postgres"])
        url = embedded.database_url()
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], check=True)
        bare, ours, memory = [], [], 0.0
        for _ in range(arguments.repeats + 1):
            bare.append(bare_copy(url, folder / "rating.csv"))
            seconds, memory = our_load(url, folder)
            ours.append(seconds)
            print(f"{bare[-1]:.2f} s bare, {ours[-1]:.2f} s ours", flush=True)
        bare, ours = bare[1:], ours[1:]  # the first of each finds a server that has just been made
        embedded.release()
    ratios = [a / b for a, b in zip(bare, ours, strict=True)]
    write_result(
        "importing",
        command=f"python -m benchmarks.importing --rows {arguments.rows} --repeats {arguments.repeats}",
        data=f"generated, seed 0: {rows:,} rows, embedded PostgreSQL, durable",
        figures=[
            {"name": "bare COPY", "value": rows / statistics.median(bare), "unit": "rows/s"},
            {"name": "load_dataset", "value": rows / statistics.median(ours), "unit": "rows/s"},
            {
                "name": "rate of load_dataset / rate of bare COPY",
                "ratio": statistics.median(ratios),
                "spread": [min(ratios), max(ratios)],
                "unit": "of the bare rate",
            },
            {"name": "peak memory of load_dataset", "value": memory, "unit": "MB"},
        ],
    )


if __name__ == "__main__":
    main()
