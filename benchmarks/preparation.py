"""Our preparation against loops over users in pandas: `python -m benchmarks.preparation`.

All end with the same arrays: the ratings of known users split 90/10 for each. One peer is the paper's code, which looks
through the whole frame for each user; the other groups the frame once and then goes through the groups. The paper's
way takes ten minutes on data of Kaggle's size: there it is timed on some of the users and scaled up to all.
"""

import argparse
import statistics
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.generated import kaggle_sized
from benchmarks.results import write_result
from recommender.engine.paper.preparation import prepare
from recommender.engine.ratings import RatingMatrix

REAL = Path(__file__).parents[2] / "shared" / "data" / "anime" / "rating.csv"


def before_the_split(frame, n_held_out):
    """Drop unrated rows and users with one rating, shuffle, and hold out users."""
    frame = frame[frame["rating"] != -1]
    counts = frame["user"].value_counts()
    frame = frame[frame["user"].isin(counts[counts > 1].index)]
    frame = frame.sample(frac=1.0, random_state=0)
    held_out = frame["user"].unique()[:n_held_out]
    return frame[~frame["user"].isin(held_out)]


def split(parts):
    """The first 90 percent of each part for training, the rest for validation, as arrays."""
    pairs, scores = ([], []), ([], [])
    for own in parts:
        cut = int(len(own) * 0.9)
        for into, rows in enumerate((own[:cut], own[cut:])):
            pairs[into].extend(rows[["user", "item"]].values.tolist())
            scores[into].extend(rows["rating"].values.tolist())
    return [np.array(column) for column in (*pairs, *scores)]


def scanning(frame, users):
    return split(frame[frame["user"] == user] for user in users)


def grouping(frame):
    return split(own for _, own in frame.groupby("user", sort=False))


def seconds(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def compare(label, matrix, *, scanned_users, repeats):
    """Figures of one data set; every peer is followed by ours at once."""
    frame = pd.DataFrame(
        {"user": matrix.user_ids[matrix.users], "item": matrix.item_ids[matrix.items], "rating": matrix.ratings}
    )
    ours, scanned, grouped = [], [], []
    for _ in range(repeats):
        took, prepared = seconds(partial(prepare, seed=0), matrix)
        ours.append(took)
        common, left = seconds(before_the_split, frame, prepared.counts["held_out_users"])
        users = left["user"].unique()
        some = users[:scanned_users]
        scanned.append(common + seconds(scanning, left, some)[0] * len(users) / len(some))
        took, arrays = seconds(grouping, left)
        grouped.append(common + took)
        assert len(users) == len(prepared.user_ids)
        assert len(arrays[0]) + len(arrays[1]) == len(left)
    how = "" if scanned_users is None else f", scaled up from {scanned_users:,} of {len(users):,} users"
    return [
        {"name": f"prepare, {label}", "value": statistics.median(ours), "unit": "s"},
        ratio(f"paper's loop over users / prepare, {label}{how}", scanned, ours),
        ratio(f"loop over groups / prepare, {label}", grouped, ours),
    ]


def ratio(name, peer, ours):
    ratios = [a / b for a, b in zip(peer, ours, strict=True)]
    return {
        "name": name,
        "ratio": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "unit": "times our time",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scanned-users", type=int, default=1000)
    arguments = parser.parse_args()
    generated = kaggle_sized()
    described = f"generated, seed 0: {len(generated):,} rows, fingerprint {generated.fingerprint()[:12]}"
    figures = compare("generated", generated, scanned_users=arguments.scanned_users, repeats=arguments.repeats)
    if REAL.exists():
        real = RatingMatrix.from_arrays(*pd.read_csv(REAL).to_numpy().T)
        described += f"; real: {len(real):,} rows, fingerprint {real.fingerprint()[:12]}"
        figures += compare("real", real, scanned_users=None, repeats=arguments.repeats)
    write_result(
        "preparation",
        command=f"python -m benchmarks.preparation --repeats {arguments.repeats} "
        f"--scanned-users {arguments.scanned_users}",
        data=described,
        figures=figures,
    )


if __name__ == "__main__":
    main()
