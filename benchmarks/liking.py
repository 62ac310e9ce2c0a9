"""What people like of the lists that the towers make: `python -m benchmarks.liking`.

On the validation users of `benchmarks.quality`, half of whose ratings is folded in. A held-out anime is liked when it
was rated at or above the mean of all ratings of the person, and disliked from a point below it. Each row is a way to
read the folded-in ratings, or one more rule of the list that is served. The model is trained once, the same way as the
product trains it, and kept under var/liking.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

from benchmarks.quality import DATA, ROOT, load, split
from benchmarks.results import write_result
from evaluation.offline import metrics
from evaluation.offline.statistics import bootstrap_interval, paired_bootstrap
from recommender.engine import dislikes
from recommender.engine.artifact import load_artifact, write_artifact
from recommender.engine.history import training as history_training
from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.model import FAMILY, HistoryModel, user_vectors
from recommender.engine.reranking import rerank
from recommender.engine.retrieval import top_k
from recommender.engine.titles import strict_franchises, wide_franchises

KEPT = ROOT / "var" / "liking"
METRICS = ("liking_ndcg@10", "ndcg@10", "disliked@10")
#: Points below the shrunk mean from which on a rating is tried as a dislike, beside the one that is served.
TRIED = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
#: How many of the best are ranked before rules of the list take some of them out.
CANDIDATES = 200


def served_model(directory, task, *, again):
    """The towers for the task, from the artifact that an earlier call kept unless they are to be trained `again`."""
    path = KEPT / directory.name
    if again:
        shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        config = HistoryConfig()
        trained = history_training.train(task.interactions, task.content, config)
        arrays = trained.to_arrays()
        fingerprint = task.interactions.fingerprint()
        write_artifact(path, family=FAMILY, arrays=arrays, config=config.to_dict(), fingerprint=fingerprint, metrics={})
    return HistoryModel.from_arrays(load_artifact(path).arrays)


class Trial:
    """The validation users, and what each list is measured by."""

    def __init__(self, task, relevant, model):
        n = task.fold_in.shape[0] // 2
        self.model, self.task = model, task
        self.fold_in, self.held_out = task.fold_in[:n].tocsr(), relevant[:n].tocsr()
        whole = (self.fold_in + self.held_out).tocsr()
        mean = float(task.ratings.data.mean())
        self.means = metrics.personal_means(whole.indptr, whole.data, mean)
        self.columns = model.rows(task.item_ids)
        places = np.searchsorted(task.content.item_ids, task.item_ids)
        self.strict = strict_franchises(task.content.titles)[places]
        wide = wide_franchises(task.content.titles)
        self.wide = wide.numbers[places]
        column = np.full(len(task.content.item_ids), -1)
        column[places] = np.arange(len(places))
        self.members = [column[of_one][column[of_one] >= 0] for of_one in wide.members]

    def scores(self, is_left_out):
        """The towers' scores `[n, n_items]` for histories without the marked ratings of `fold_in`."""
        kept = ~is_left_out
        indptr = np.append(0, kept.cumsum())[self.fold_in.indptr]
        users = user_vectors(self.model, indptr, self.columns[self.fold_in.indices[kept]])
        return users @ self.model.item_embeddings[self.columns].T

    def without_disliked_franchises(self, scores, is_disliked):
        """The scores, with nothing of a franchise of which only disliked parts are folded in."""
        scores = scores.copy()
        for user, (start, stop) in enumerate(zip(self.fold_in.indptr, self.fold_in.indptr[1:], strict=False)):
            numbers, low = self.wide[self.fold_in.indices[start:stop]], is_disliked[start:stop]
            for number in np.setdiff1d(numbers[low], numbers[~low]):
                scores[user, self.members[number]] = -np.inf
        return scores

    def measure(self, scores, *, one_of_a_franchise=False):
        """Each metric per user; of liking, NaN for who liked nothing of what was held out."""
        lists, values = top_k(scores, CANDIDATES, (self.fold_in.indptr, self.fold_in.indices))
        if one_of_a_franchise:
            lists = self._one_of_a_franchise(lists, values)
        held_out = (self.held_out.indptr, self.held_out.indices)
        found = metrics.evaluate(lists, held_out, (10,))
        found |= metrics.liking(lists, held_out, self.held_out.data, self.means)
        return {name: found[name] for name in METRICS}

    def _one_of_a_franchise(self, lists, values):
        shown = np.full((len(lists), 10), -1)
        for user, (row, of_row) in enumerate(zip(lists, values, strict=True)):
            there = (row >= 0) & np.isfinite(of_row)
            vectors = self.model.item_embeddings[self.columns]
            best = rerank(row[there], of_row[there], 10, embeddings=vectors, franchises=self.strict)
            shown[user, : len(best)] = best
        return shown


BEFORE = "towers, every rating read"


def rows(trial):
    """Each row's name and what it measured."""
    ratings = trial.fold_in
    nothing = np.zeros(ratings.nnz, dtype=bool)
    counts = np.asarray((trial.task.ratings > 0).sum(axis=0), dtype=np.float32)
    yield "popularity", trial.measure(np.repeat(counts, ratings.shape[0], axis=0))
    everything = trial.scores(nothing)
    yield BEFORE, trial.measure(everything)
    mean = trial.model.rating_head.mean
    for below in TRIED:
        low = dislikes.disliked(ratings.indptr, ratings.data, mean, below=below)
        yield f"towers, without what was rated {below:g} below the mean", trial.measure(trial.scores(low))
    low = dislikes.disliked(ratings.indptr, ratings.data, mean)
    scores = trial.without_disliked_franchises(trial.scores(low), low)
    yield f"{dislikes.DISLIKED_BELOW:g} below, and nothing else of disliked franchises", trial.measure(scores)
    yield "the same, and one of a franchise: as served", trial.measure(scores, one_of_a_franchise=True)
    yield "one of a franchise, every rating read", trial.measure(everything, one_of_a_franchise=True)


def figures(trial):
    """A figure for each row: its metrics, each with its interval, and the paired difference from BEFORE."""
    measured = dict(rows(trial))
    for name, values in measured.items():
        found = {}
        for metric in METRICS:
            known = ~np.isnan(values[metric])
            of_row, before = values[metric][known], measured[BEFORE][metric][known]
            difference = paired_bootstrap(of_row, before, seed=0)
            found[metric] = {
                **bootstrap_interval(of_row, seed=0)._asdict(),
                "difference": [difference.difference, difference.low, difference.high],
            }
        yield {"name": name, "unit": METRICS[0], "value": found[METRICS[0]]["mean"], "metrics": found}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="directory with anime.csv and rating.csv")
    parser.add_argument("--again", action="store_true", help="train the towers again, and not take those kept")
    options = parser.parse_args()
    interactions, content = load(options.data)
    task, relevant = split(interactions, content, None)
    trial = Trial(task, relevant, served_model(options.data, task, again=options.again))
    data = f"{options.data.name}, sha256 {interactions.fingerprint()}"
    write_result("liking", command="python -m benchmarks.liking", data=data, figures=list(figures(trial)))


if __name__ == "__main__":
    main()
