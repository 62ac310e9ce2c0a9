"""What lists of hits do not show: `python -m benchmarks.beyond_accuracy`.

New anime without ratings, predicted ratings, what franchises, diversity and novelty cost, and the float16 artifact.
"""

import argparse

import numpy as np
from scipy import sparse

from benchmarks.peers.towers import paper_prepared
from benchmarks.quality import DATA, load, split
from benchmarks.results import write_result
from evaluation.offline import metrics
from recommender.engine.history import rating_head
from recommender.engine.history import training as history_training
from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.model import SHRINKAGE, HistoryModel, predict_ratings, user_vectors
from recommender.engine.paper.config import PaperConfig
from recommender.engine.paper.training import train as train_paper
from recommender.engine.ratings import UNRATED
from recommender.engine.reranking import rerank
from recommender.engine.retrieval import top_k
from recommender.engine.titles import strict_franchises

CANDIDATES = 200
CONTROLS = (0.1, 0.2, 0.3, 0.5, 0.7)


def predicted_ratings(interactions):
    """RMSE of each method on a tenth of each user's ratings, the rest being known."""
    rated = interactions.select(interactions.ratings != UNRATED)
    n = np.diff(rated.indptr)
    rng = np.random.default_rng(0)
    rank = np.empty(len(rated), dtype=np.int64)
    rank[np.lexsort((rng.random(len(rated)), rated.users))] = np.arange(len(rated)) - np.repeat(rated.indptr[:-1], n)
    has_two = (n > 1)[rated.users]
    known = (rank < (n * 9 // 10)[rated.users]) & has_two
    hidden = ~known & has_two
    values = rated.ratings.astype(np.float32)
    shape = (rated.n_users, rated.n_items)
    matrix = sparse.csr_matrix((values[known], (rated.users[known], rated.items[known])), shape=shape)
    truth = values[hidden]

    def error(predicted):
        return float(np.sqrt(((np.clip(predicted, 1, 10) - truth) ** 2).mean()))

    head = rating_head.fit(matrix, factors=HistoryConfig().rating_factors, iterations=10, seed=0)
    errors = {}
    for name, used in (("ours", head), ("biases", _without_factors(head))):
        model = _only_head(used, rated.n_items)
        predicted = np.empty(len(truth), dtype=np.float32)
        bounds = np.searchsorted(rated.users[hidden], np.arange(rated.n_users + 1))
        for user in np.flatnonzero(np.diff(bounds)):
            own = slice(matrix.indptr[user], matrix.indptr[user + 1])
            place = slice(bounds[user], bounds[user + 1])
            of_user = predict_ratings(model, matrix.indices[own], matrix.data[own])
            predicted[place] = of_user[rated.items[hidden][place]]
        errors[name] = error(predicted)
    errors["biased matrix factorisation"] = _biased_mf(matrix, rated.users[hidden], rated.items[hidden], truth)
    prepared = paper_prepared(matrix, rated.item_ids, rated)
    paper = train_paper(prepared, PaperConfig())
    of_paper = paper.user_embeddings[rated.users[hidden]] * paper.item_embeddings[rated.items[hidden]]
    errors["paper"] = error(np.maximum(of_paper.sum(axis=1), 0))
    return errors


def _without_factors(head):
    return rating_head.RatingHead(head.mean, head.item_biases, head.embeddings * 0, head.variances * 0)


def _only_head(head, n_items):
    nothing = np.zeros((n_items, 2))
    return HistoryModel.build(
        item_ids=np.arange(n_items),
        item_embeddings=nothing,
        history_embeddings=nothing,
        short_history_embeddings=nothing,
        rating_counts=nothing[:, 0],
        rating_head=head,
    )


def _biased_mf(matrix, users, items, truth):
    """RMSE of biased MF by alternating least squares: the best of its ranks and ridges on the hidden ratings."""
    head = rating_head.fit(matrix, factors=1, iterations=1, seed=0)
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    left = matrix.data - head.mean - head.item_biases[matrix.indices]
    user_biases = np.bincount(row, left, matrix.shape[0]) / (np.diff(matrix.indptr) + SHRINKAGE)
    base = head.mean + user_biases[users] + head.item_biases[items]
    left = sparse.csr_matrix((left - user_biases[row], matrix.indices, matrix.indptr), shape=matrix.shape)
    left_of_items = left.T.tocsr()
    errors = []
    for factors in (8, 16):
        for ridge in (10.0, 20.0, 40.0):
            item_factors = np.random.default_rng(0).normal(0, 0.1, (matrix.shape[1], factors))
            for _ in range(10):
                user_factors = _ridge(left, item_factors, ridge)
                item_factors = _ridge(left_of_items, user_factors, ridge)
            predicted = base + (user_factors[users] * item_factors[items]).sum(axis=1)
            errors.append(float(np.sqrt(((predicted.clip(1, 10) - truth) ** 2).mean())))
    return min(errors)


def _ridge(left, other, ridge):
    """The rows' factors that fit `left` [n_rows, n_columns] best, the columns' being `other`."""
    factors = other.shape[1]
    ones = sparse.csr_matrix((np.ones_like(left.data), left.indices, left.indptr), shape=left.shape)
    products = (ones @ (other[:, :, None] * other[:, None, :]).reshape(len(other), -1)).reshape(-1, factors, factors)
    return np.linalg.solve(products + ridge * np.eye(factors), (left @ other)[:, :, None])[:, :, 0]


def new_anime(interactions, content):
    """Recall@20 among a tenth of the rated anime, of which training knew the content alone."""
    task, relevant = split(interactions, content, None)
    n = task.fold_in.shape[0] // 2
    rng = np.random.default_rng(7)
    is_new = np.zeros(len(task.item_ids), dtype=bool)
    is_new[rng.permutation(len(is_new))[: len(is_new) // 10]] = True
    new_ids = task.item_ids[is_new]
    seen = ~np.isin(task.interactions.item_ids, new_ids)[task.interactions.items]
    model = history_training.train(task.interactions.select(seen), content, HistoryConfig())
    columns = model.rows(task.item_ids)
    known = task.fold_in[:n] @ sparse.diags((~is_new).astype(np.float32))
    known.eliminate_zeros()
    ours = user_vectors(model, known.indptr, columns[known.indices]) @ model.item_embeddings[columns[is_new]].T

    names = sorted({name for of_item in content.genres for name in of_item})
    genres = np.array([[name in content.genres[row] for name in names] for row in columns], dtype=np.float32)
    counts = np.asarray((task.ratings > 0).sum(axis=0)).ravel() * ~is_new
    of_genre = (genres * counts[:, None]).sum(axis=0) / np.maximum(genres[~is_new].sum(axis=0), 1)
    watched = (known > 0).astype(np.float32) @ genres
    profile = watched / np.maximum(watched.sum(axis=1, keepdims=True), 1)
    by_genre = (profile * of_genre) @ genres[is_new].T
    overall = np.tile(genres[is_new] @ of_genre, (n, 1))
    wanted = relevant[:n][:, is_new].tocsr()
    excluded = task.fold_in[:n][:, is_new].tocsr()
    has = np.diff(wanted.indptr) > 0
    found = {}
    for name, scores in (
        ("ours", ours),
        ("popularity by genre, of the user's genres", by_genre),
        ("popularity by genre", overall),
    ):
        lists, _ = top_k(scores, 20, (excluded.indptr, excluded.indices))
        found[name] = float(metrics.evaluate(lists, (wanted.indptr, wanted.indices), (20,))["recall@20"][has].mean())
    return found


def controls(interactions, content, seed):
    """NDCG@10, diversity and novelty of the lists for each setting of the controls, with and without franchises."""
    task, relevant = split(interactions, content, seed)
    n = task.fold_in.shape[0] // 2
    trained = history_training.train(task.interactions, content, HistoryConfig())
    model = HistoryModel.from_arrays(trained.to_arrays())
    columns = model.rows(task.item_ids)
    fold_in = task.fold_in[:n]
    wanted = relevant[:n].tocsr()
    embeddings = model.item_embeddings[columns][:, :-1]
    counts, numbers = model.rating_counts[columns], strict_franchises(content.titles)[columns]
    names = sorted({name for of_item in content.genres for name in of_item})
    genres = np.array([[name in content.genres[row] for name in names] for row in columns])
    n_users = task.ratings.shape[0]

    def lists_of(used):
        users = user_vectors(used, fold_in.indptr, columns[fold_in.indices])
        return top_k(users @ used.item_embeddings[columns].T, CANDIDATES, (fold_in.indptr, fold_in.indices))

    def shown(candidates, scores, **control):
        rows = np.full((n, 10), -1)
        for user in range(n):
            kept = candidates[user] >= 0
            of_user = rerank(candidates[user][kept], scores[user][kept], 10, embeddings=embeddings, **control)
            rows[user, : len(of_user)] = of_user
        values = metrics.evaluate(rows, (wanted.indptr, wanted.indices), (10,))
        return {
            "ndcg@10": float(values["ndcg@10"].mean()),
            "genre diversity@10": float(metrics.genre_diversity(rows, genres, 10).mean()),
            "novelty@10": float(metrics.novelty(rows, counts, n_users, 10).mean()),
            "coverage@10": metrics.catalogue_coverage(rows, len(columns), 10),
            "franchises in a list": float(np.mean([len(set(numbers[row[row >= 0]])) for row in rows])),
        }

    found = {"float32": shown(*lists_of(trained)), "plain": shown(*lists_of(model))}
    candidates, scores = lists_of(model)
    found["one anime a franchise"] = shown(candidates, scores, franchises=numbers)
    for value in CONTROLS:
        found[f"diversity {value}"] = shown(candidates, scores, franchises=numbers, diversity=value)
        found[f"novelty {value}"] = shown(candidates, scores, franchises=numbers, counts=counts, novelty=value)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the users held out for the controls")
    options = parser.parse_args()
    interactions, content = load(DATA)
    figures = []
    for name, value in predicted_ratings(interactions).items():
        figures.append({"name": f"RMSE of predicted ratings, {name}", "unit": "rating points", "value": value})
    for name, value in new_anime(interactions, content).items():
        figures.append({"name": f"new anime, {name}", "unit": "Recall@20", "value": value})
    for name, values in controls(interactions, content, options.seed).items():
        figures.append({"name": f"lists, {name}", "unit": "NDCG@10", "value": values["ndcg@10"], "metrics": values})
    data = f"{DATA.name}, sha256 {interactions.fingerprint()}"
    write_result("beyond_accuracy", command="python -m benchmarks.beyond_accuracy", data=data, figures=figures)


if __name__ == "__main__":
    main()
