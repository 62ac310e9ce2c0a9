"""How good the list for somebody unknown is, by the prior of the Bayesian average: `python -m benchmarks.cold_start`.

The prior is chosen on the users that models are trained on; the held-out users show what it is worth. Half of each
user's ratings is folded in, which here says only what to leave out; the other half is relevant.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.results import write_result
from evaluation.offline.dataset import read_folder
from evaluation.offline.protocol import Histories, run, split_in_half
from evaluation.paper.methods import by_score, top_of
from evaluation.paper.reproduction import held_out_histories
from recommender.engine.paper.preparation import prepare
from recommender.engine.popularity import PRIOR_QUANTILE, bayesian_average, interaction_counts, paper_weighted_score

DATA = Path(__file__).parents[2] / "shared" / "data" / "anime"
STRENGTHS = (1, 3, 10, 30, 100, 300)
METRICS = ("precision@10", "ndcg@10")


def seen_histories(prepared):
    """All ratings of the users that models are trained on."""
    users = np.concatenate([prepared.train_users, prepared.validation_users])
    items = np.concatenate([prepared.train_items, prepared.validation_items])
    order = np.lexsort((items, users))
    indptr = np.append(0, np.bincount(users).cumsum())
    ratings = np.concatenate([prepared.train_ratings, prepared.validation_ratings])
    return Histories(indptr, items[order], ratings[order])


def methods(facts, prepared):
    """Every prior of the grid, and what it is to be compared with."""
    known = ~np.isnan(facts.rating)
    mean_count = facts.members[known].mean()
    priors = {
        "mean score, each anime by its members": np.average(facts.rating[known], weights=facts.members[known]),
        "mean score, each anime once": facts.rating[known].mean(),
        f"score that {PRIOR_QUANTILE:.0%} fall short of": np.quantile(facts.rating[known], PRIOR_QUANTILE),
    }
    counts = interaction_counts(seen_histories(prepared).items, len(prepared.item_ids))
    scores = {
        "most rated by training users": counts,
        "most members": facts.members,
        "weighted score as published": paper_weighted_score(facts.rating, facts.members),
        "default": bayesian_average(facts.rating, facts.members),
    }
    for prior, score in priors.items():
        for strength in STRENGTHS:
            scores[f"{prior}, {strength} mean counts"] = bayesian_average(
                facts.rating, facts.members, strength * mean_count, score
            )
    return [by_score(name, name, name, values) for name, values in scores.items()]


def print_lists(anime):
    """The twenty best of the whole catalogue by the weighted score as published and by the default."""
    scores = (paper_weighted_score(anime.rating, anime.members), bayesian_average(anime.rating, anime.members))
    print("| rank | `paper_weighted_score` | rating | members | `bayesian_average` | rating | members |")
    print("|---|---|---|---|---|---|---|")
    for rank, places in enumerate(zip(*(top_of(values, 20) for values in scores), strict=True), start=1):
        cells = [f"{anime.names[i]} | {anime.rating[i]:.2f} | {anime.members[i]:,.0f}" for i in places]
        print(f"| {rank} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lists", action="store_true", help="only print the twenty best by either score, as Markdown")
    arguments = parser.parse_args()
    dataset = read_folder(arguments.data)
    if arguments.lists:
        print_lists(dataset.anime)
        return
    prepared = prepare(dataset.ratings, seed=arguments.seed)
    compared = methods(dataset.anime.of(prepared.item_ids), prepared)
    trials = {
        "training users": split_in_half(seen_histories(prepared), seed=arguments.seed),
        "held-out users": split_in_half(held_out_histories(prepared), seed=arguments.seed),
    }
    figures = [
        {"name": f"{result.method.title}; {who}", "unit": metric, "value": float(result.per_user[metric].mean())}
        for who, trial in trials.items()
        for result in run(compared, trial, ks=(10,))
        for metric in METRICS
    ]
    write_result(
        "cold_start",
        command=f"python -m benchmarks.cold_start --seed {arguments.seed}",
        data=f"{arguments.data.name}, fingerprint {prepared.fingerprint[:12]}",
        figures=figures,
    )


if __name__ == "__main__":
    main()
