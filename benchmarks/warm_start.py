"""A retraining that continues from the published model against one that begins anew: `python -m benchmarks.warm_start`.

Yesterday's model knows all but a twentieth of the interactions, drawn at random. Today's are trained on all of them,
anew and from yesterday's model, in turns. Both are measured on the 500 people whom no training sees, half of each
one's ratings folded in. Preparation, the teacher and the rating head, which both need, count in the time.
"""

import argparse
import statistics
import time

import numpy as np

from benchmarks.quality import DATA, load
from benchmarks.results import write_result
from evaluation.offline import metrics
from evaluation.offline.split import split
from recommender.engine.history import training as history_training
from recommender.engine.history import warm_start
from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.model import user_vectors
from recommender.engine.holdout import held_out_users
from recommender.engine.retrieval import top_k

NEW_SHARE = 0.05


def ndcg(model, trial, item_ids):
    """Of each person's ten best."""
    columns = model.rows(item_ids)
    users = user_vectors(model, trial.fold_in.indptr, columns[trial.fold_in.items])
    lists, _ = top_k(users @ model.item_embeddings[columns].T, 10, trial.fold_in.rated)
    return metrics.evaluate(lists, trial.held_out.rated, (10,))["ndcg@10"].mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    interactions, content = load(DATA)
    held_out = held_out_users(interactions)
    today = interactions.select(~np.isin(interactions.user_ids, held_out)[interactions.users])
    yesterday = today.select(np.random.default_rng(0).random(len(today)) >= NEW_SHARE)
    item_ids = np.sort(content.item_ids)
    trial = split(interactions, held_out, item_ids, seed=0, n_users=500).trial
    config = HistoryConfig()
    before = history_training.train(yesterday, content, config)
    if not warm_start.can_continue(before, today, config):
        raise SystemExit("the model of yesterday may not be continued")
    seconds, quality = [], []
    for _ in range(options.repeats):
        began = time.perf_counter()
        cold = history_training.train(today, content, config)
        middle = time.perf_counter()
        warm = history_training.train(today, content, warm_start.shortened(config), begin_with=before)
        seconds.append((time.perf_counter() - middle) / (middle - began))
        quality.append(float(ndcg(warm, trial, item_ids) / ndcg(cold, trial, item_ids)))
    figures = [
        {
            "name": f"{name}, continued / anew",
            "unit": "ratio",
            "ratio": statistics.median(ratios),
            "spread": [min(ratios), max(ratios)],
        }
        for name, ratios in (("time of a training", seconds), ("NDCG@10", quality))
    ]
    figures.append({"name": "NDCG@10 of yesterday's model", "unit": "", "value": float(ndcg(before, trial, item_ids))})
    figures.append({"name": "NDCG@10 anew", "unit": "", "value": float(ndcg(cold, trial, item_ids))})
    write_result(
        "warm_start",
        command=f"python -m benchmarks.warm_start --repeats {options.repeats}",
        data=f"{DATA.name}, {len(today):,} interactions, fingerprint {interactions.fingerprint()[:12]}",
        figures=figures,
    )


if __name__ == "__main__":
    main()
