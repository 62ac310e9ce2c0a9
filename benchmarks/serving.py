"""From somebody's ratings to the list that is shown, beside `implicit` doing less: `python -m benchmarks.serving`.

Runs on the site that `make run DATASET=../shared/data/anime` set up, once its history model is published. Ours is the
whole of what a page or an API answer needs: the user vector, all anime scored, what is rated, adult or of the same
franchise left out, predicted ratings, and the reasons. The peers get the same ratings and give ids and scores: ALS with
the setting that `benchmarks.quality` found solves for the new user's vector, item-kNN sums its rows. In turns, one
person after another.
"""

import argparse
import time

from recsite.local import command_line, embedded

command_line.set_defaults()
embedded.ensure()

import django  # noqa: E402

django.setup()

import numpy as np  # noqa: E402
from implicit.als import AlternatingLeastSquares  # noqa: E402
from implicit.nearest_neighbours import CosineRecommender  # noqa: E402
from scipy import sparse  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from benchmarks.results import write_result  # noqa: E402
from recommender.engine.ratings import UNRATED  # noqa: E402
from recommender.runs.snapshot import load_ratings  # noqa: E402
from recommender.serving import lists  # noqa: E402
from recommender.serving.anime_arrays import catalogue  # noqa: E402
from recommender.serving.models import published  # noqa: E402
from recommender.serving.models.history import HistoryTowers  # noqa: E402

K = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    model, anime, interactions = published.published_model(), catalogue(), load_ratings()
    if not isinstance(model, HistoryTowers):
        raise SystemExit("no history model is published here: run `make run DATASET=../shared/data/anime` first")
    rated = interactions.select(interactions.ratings != UNRATED)
    shape = (rated.n_users, rated.n_items)
    watched = sparse.csr_matrix((np.ones(len(rated), np.float32), (rated.users, rated.items)), shape=shape)
    als = AlternatingLeastSquares(factors=256, regularization=15.0, alpha=1.0, iterations=15, random_state=0)
    als.fit(watched, show_progress=False)
    knn = CosineRecommender(K=200)
    knn.fit(watched, show_progress=False)

    chosen = np.random.default_rng(0).choice(rated.n_users, options.people, replace=False)
    rows = [watched[user] for user in chosen]
    ratings = []
    for user in chosen:
        own = slice(rated.indptr[user], rated.indptr[user + 1])
        ids = rated.item_ids[rated.items[own]]
        ratings.append(dict(zip(ids.tolist(), rated.ratings[own].tolist(), strict=True)))

    def ours(place):
        return lists.recommend_for_ratings(ratings[place], k=K, model=model, anime=anime)

    def of_als(place):
        return als.recommend(0, rows[place], N=K, recalculate_user=True)

    def of_knn(place):
        return knn.recommend(0, rows[place], N=K)

    methods = {"ours": ours, "implicit, ALS": of_als, "implicit, item-kNN": of_knn}
    seconds = {name: np.empty((options.repeats, options.people)) for name in methods}
    with threadpool_limits(1):
        for repeat in range(options.repeats):
            for place in range(options.people):
                for name, method in methods.items():
                    began = time.perf_counter()
                    method(place)
                    seconds[name][repeat, place] = time.perf_counter() - began
    figures = []
    for name, of_method in seconds.items():
        p50, p95 = np.percentile(np.median(of_method, axis=0), [50, 95]) * 1000
        figures += [
            {"name": f"a list by {name}, p50 of the people", "unit": "ms", "value": float(p50)},
            {"name": f"a list by {name}, p95 of the people", "unit": "ms", "value": float(p95)},
        ]
    for name in list(methods)[1:]:
        ratios = np.sort(np.median(seconds[name], axis=1) / np.median(seconds["ours"], axis=1))
        figures.append(
            {
                "name": f"{name} / ours",
                "unit": "times our time",
                "ratio": float(np.median(ratios)),
                "spread": [float(ratios[0]), float(ratios[-1])],
            }
        )
    write_result(
        "serving",
        command=f"python -m benchmarks.serving --people {options.people} --repeats {options.repeats}",
        data=f"{options.people} people's ratings, {len(anime.ids):,} anime, {model.version}, one thread",
        figures=figures,
    )


if __name__ == "__main__":
    main()
