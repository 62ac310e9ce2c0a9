"""Quality of the lists for people whom no model has seen: `python -m benchmarks.quality --seeds 0 1 2 3 4`.

Users with one rating are dropped. A thousand users choose the settings (`--search`) and are trained on afterwards; five
disjoint sets of 500 further users are held out in turn. Half of a held-out user's ratings is folded in, the other half
is relevant, and every anime that is not folded in is ranked. A method and a seed run in a process of their own, whose
outcome is kept under var/quality, so that an interrupted run goes on where it was.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.peers import METHODS, Task
from benchmarks.results import RESULTS, write_result
from evaluation.offline import metrics, statistics
from recommender.engine.history.content import ItemContent
from recommender.engine.ratings import UNRATED, RatingMatrix
from recommender.engine.retrieval import top_k

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "anime"
KEPT = ROOT / "var" / "quality"
N_VALIDATION, N_HELD_OUT = 1000, 500
BUCKETS = {"1-5": (1, 5), "6-20": (6, 20), "21-100": (21, 100), "over 100": (101, 10**9)}
FEW = 3
#: Relevance of the second table.
LIKED = 8


def load(directory):
    """All interactions, and the catalogue's content."""
    frame = pd.read_csv(directory / "rating.csv")
    interactions = RatingMatrix.from_arrays(*(frame[name].to_numpy() for name in ("user_id", "anime_id", "rating")))
    return interactions, load_content(directory)


def load_content(directory):
    anime = pd.read_csv(directory / "anime.csv").sort_values("anime_id")
    genres = (tuple(name.strip() for name in text.split(",") if name.strip()) for text in anime["genre"].fillna(""))
    return ItemContent(
        anime["anime_id"].to_numpy(), tuple(anime["name"]), tuple(genres), tuple(anime["type"].fillna(""))
    )


def split(interactions, content, seed):
    """The task of a seed, None being the search's, and what is relevant.

    Returns:
        `(task, relevant [2 n, n_items])`: the held-out halves with their ratings, for the cases of the task, of which
        the second half are the same users with `FEW` ratings folded in.
    """
    rated = interactions.ratings != UNRATED
    per_user = np.bincount(interactions.users[rated], minlength=interactions.n_users)
    kept_users = np.flatnonzero(per_user > 1)
    order = kept_users[np.random.default_rng(0).permutation(len(kept_users))]
    start, n = (0, N_VALIDATION) if seed is None else (N_VALIDATION + seed * N_HELD_OUT, N_HELD_OUT)
    held_out = np.sort(order[start : start + n])
    if len(held_out) < n:
        raise ValueError(f"seed {seed} needs {start + n} users with two or more ratings, there are {len(order)}")
    is_kept = np.isin(interactions.users, kept_users)
    item_rows = np.unique(interactions.items[rated & is_kept])
    column = np.full(interactions.n_items, -1)
    column[item_rows] = np.arange(len(item_rows))

    def matrix(entries, values):
        coordinates = (interactions.users[entries], column[interactions.items[entries]])
        return sparse.csr_matrix((values, coordinates), shape=(interactions.n_users, len(item_rows)))

    ratings = matrix(rated & is_kept, interactions.ratings[rated & is_kept].astype(np.float32))
    watched = ~rated & is_kept & (column[interactions.items] >= 0)
    unrated = matrix(watched, np.ones(watched.sum(), dtype=np.float32))
    known = np.setdiff1d(kept_users, held_out)
    rng = np.random.default_rng(1000 if seed is None else seed)
    fold_in, few, relevant = _halve(ratings[held_out], rng)
    task = Task(
        ratings=ratings[known],
        unrated=unrated[known],
        fold_in=sparse.vstack([fold_in, few]).tocsr(),
        item_ids=interactions.item_ids[item_rows],
        interactions=interactions.select(~np.isin(interactions.users, held_out)),
        content=content,
    )
    return task, sparse.vstack([relevant, relevant]).tocsr()


def _halve(ratings, rng):
    """Of each row a random half (rounded down, at least one), up to `FEW` of that half, and the other half."""
    n = np.diff(ratings.indptr)
    row = np.repeat(np.arange(len(n)), n)
    rank = np.empty(ratings.nnz, dtype=np.int64)
    rank[np.lexsort((rng.random(ratings.nnz), row))] = np.arange(ratings.nnz) - np.repeat(ratings.indptr[:-1], n)
    half = np.maximum(n // 2, 1)[row]
    parts = []
    for chosen in (rank < half, rank < np.minimum(half, FEW), rank >= half):
        part = ratings.copy()
        part.data = np.where(chosen, ratings.data, 0)
        part.eliminate_zeros()
        parts.append(part)
    return parts


def measure(scores, task, relevant):
    """Per-case values of every metric `[2 n]`, and coverage."""
    lists, _ = top_k(scores, 100, (task.fold_in.indptr, task.fold_in.indices))
    counts = np.diff(task.ratings.tocsc().indptr)
    values = metrics.evaluate(lists, (relevant.indptr, relevant.indices), ks=(10, 20, 50, 100))
    liked = relevant.copy()
    liked.data = np.where(liked.data >= LIKED, liked.data, 0)
    liked.eliminate_zeros()
    of_liked = metrics.evaluate(lists, (liked.indptr, liked.indices), ks=(10, 20))
    names = ("ndcg@10", "ndcg@100", "recall@20", "recall@50", "map@10", "precision@10")
    kept = {name: values[name] for name in names}
    # A user who liked nothing of the other half says nothing about liking.
    has_liked = np.diff(liked.indptr) > 0
    kept |= {f"liked {name}": np.where(has_liked, of_liked[name], np.nan) for name in ("ndcg@10", "recall@20")}
    kept["novelty@10"] = metrics.novelty(lists, counts, task.ratings.shape[0], 10)
    half = len(lists) // 2
    return kept, metrics.catalogue_coverage(lists[:half], scores.shape[1], 10)


def run_one(directory, method, seed, setting):
    """Fit and measure; keeps the outcome as JSON and arrays."""
    task, relevant = split(*load(directory), seed)
    # What the data alone takes is no part of the method's memory.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    scored = METHODS[method].run(task, **setting)
    ended = time.perf_counter()
    values, coverage = measure(np.asarray(scored.scores, dtype=np.float32), task, relevant)
    path = _kept(directory, method, seed, setting)
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = {
        "method": method,
        "setting": dict(setting),
        "coverage@10": coverage,
        "training_s": scored.fitted_at - started,
        "per_user_ms": 1000 * (ended - scored.fitted_at) / task.fold_in.shape[0],
        "peak_memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "model_mb": scored.model_bytes / 2**20,
    }
    fold_in = np.diff(task.fold_in.indptr)
    unfinished = path.with_suffix(".unfinished.npz")
    np.savez(unfinished, meta=json.dumps(meta), fold_in=fold_in, **values)
    unfinished.replace(path)
    print(f"{method} seed {seed} {setting}: ndcg@10 {values['ndcg@10'][: len(fold_in) // 2].mean():.4f}", flush=True)


def _kept(directory, method, seed, setting):
    words = "-".join(f"{name}={value}" for name, value in sorted(setting.items()))
    return KEPT / directory.name / f"{method}-{'search' if seed is None else seed}-{words}.npz"


def outcome(directory, method, seed, setting):
    """What `run_one` kept, from a process of its own when it has not run yet: `(meta, values, fold-in sizes)`."""
    path = _kept(directory, method, seed, setting)
    if not path.exists():
        spelled = json.dumps({"method": method, "seed": seed, "setting": dict(setting)})
        command = [sys.executable, "-m", "benchmarks.quality", "--data", str(directory), "--one", spelled]
        subprocess.run(command, check=True, cwd=ROOT)
    with np.load(path, allow_pickle=False) as kept:
        values = {name: kept[name] for name in kept.files if name not in ("meta", "fold_in")}
        return json.loads(str(kept["meta"])), values, kept["fold_in"]


def best_setting(directory, method):
    """The setting with the best NDCG@10 + Recall@20 of the validation users, and that of each that was tried."""
    settings = METHODS[method].settings
    if len(settings) == 1:
        return dict(settings[0]), []
    tried = []
    for setting in settings:
        _, values, sizes = outcome(directory, method, None, setting)
        half = len(sizes) // 2
        found = {name: float(values[name][:half].mean()) for name in ("ndcg@10", "recall@20")}
        tried.append({"setting": dict(setting), **found})
    best = max(tried, key=lambda one: one["ndcg@10"] + one["recall@20"])
    return best["setting"], tried


def summarise(directory, method, seeds, setting):
    """Means over all users of the seeds, with bootstrap intervals of the two metrics that decide."""
    metas, parts, sizes = zip(*(outcome(directory, method, seed, setting) for seed in seeds), strict=True)
    halves = [len(of_seed) // 2 for of_seed in sizes]
    pooled = {name: np.concatenate([p[name][:h] for p, h in zip(parts, halves, strict=True)]) for name in parts[0]}
    few = np.concatenate([part["ndcg@10"][half:] for part, half in zip(parts, halves, strict=True)])
    folded = np.concatenate([of_seed[:half] for of_seed, half in zip(sizes, halves, strict=True)])
    has_few = np.concatenate([of_seed[half:] for of_seed, half in zip(sizes, halves, strict=True)]) == FEW
    summary = {name: float(np.nanmean(values)) for name, values in pooled.items()}
    for name in ("ndcg@10", "recall@20"):
        interval = statistics.bootstrap_interval(pooled[name], seed=0)
        summary[f"{name} interval"] = [interval.low, interval.high]
        summary[f"{name} of each seed"] = [float(p[name][:h].mean()) for p, h in zip(parts, halves, strict=True)]
        for bucket, (low, high) in BUCKETS.items():
            within = (folded >= low) & (folded <= high)
            summary[f"{name}, {bucket} folded in"] = float(pooled[name][within].mean())
    summary[f"ndcg@10, {FEW} ratings"] = float(few[has_few].mean())
    for name in ("coverage@10", "training_s", "per_user_ms", "peak_memory_mb", "model_mb"):
        summary[name] = float(np.median([meta[name] for meta in metas]))
    return summary, pooled


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="directory with anime.csv and rating.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--search", action="store_true", help="only search for settings")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one = json.loads(options.one)
        run_one(options.data, one["method"], one["seed"], one["setting"])
        return
    settings = {}
    for method in options.methods:
        settings[method] = best_setting(options.data, method)
    if options.search:
        return
    for seed in options.seeds:
        for method in options.methods:
            outcome(options.data, method, seed, settings[method][0])
    write(options, settings)


def write(options, settings):
    path = RESULTS / "quality.json"
    rows = {}
    if path.exists():
        rows = {row["method"]: row for row in json.loads(path.read_text(encoding="utf-8"))["figures"]}
    ours = summarise(options.data, "history", options.seeds, settings["history"][0])[1] if "history" in settings else {}
    for method in options.methods:
        setting, tried = settings[method]
        summary, pooled = summarise(options.data, method, options.seeds, setting)
        row = {
            "name": METHODS[method].title,
            "method": method,
            "unit": "NDCG@10",
            "value": summary["ndcg@10"],
            "setting": setting,
            "search": tried,
            "seeds": options.seeds,
            "metrics": summary,
        }
        if ours and method != "history":
            for name in ("ndcg@10", "recall@20"):
                compared = statistics.paired_bootstrap(ours[name], pooled[name], seed=0)
                row[f"ours over it, {name}"] = {
                    "ratio": float(ours[name].mean() / pooled[name].mean()),
                    "difference": compared.difference,
                    "interval": [compared.low, compared.high],
                    "p_value": compared.p_value,
                }
        rows[method] = row
    figures = sorted(rows.values(), key=lambda row: -row["value"])
    data = f"{options.data.name}, sha256 {load(options.data)[0].fingerprint()}"
    command = f"python -m benchmarks.quality --seeds {' '.join(map(str, options.seeds))}"
    write_result("quality", command=command, data=data, figures=figures)


if __name__ == "__main__":
    main()
