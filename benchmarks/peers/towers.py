"""The two models of the product: the paper's, and the history two-tower."""

import time

import numpy as np

from benchmarks.peers import Scored
from recommender.engine import retrieval
from recommender.engine.history import training as engine
from recommender.engine.history.config import HistoryConfig
from recommender.engine.history.model import HistoryModel, user_vectors
from recommender.engine.paper import unseen
from recommender.engine.paper.config import PaperConfig
from recommender.engine.paper.preparation import Prepared
from recommender.engine.paper.training import train


def history(task, **setting):
    """Trained as the product trains it, and scored by numpy from its float16 artifact."""
    trained = engine.train(task.interactions, task.content, HistoryConfig(**setting))
    fitted = time.perf_counter()
    arrays = trained.to_arrays()
    model = HistoryModel.from_arrays(arrays)
    columns = model.rows(task.item_ids)
    users = user_vectors(model, task.fold_in.indptr, columns[task.fold_in.indices])
    scores = users @ model.item_embeddings[columns].T
    return Scored(scores, fitted, sum(array.nbytes for array in arrays.values()))


def paper_dot(task):
    return _paper(task, "dot")


def paper_euclidean(task):
    return _paper(task, "euclidean")


def _paper(task, metric):
    """The paper's model and its average for unseen users."""
    embeddings = train(paper_prepared(task.ratings, task.item_ids, task.interactions), PaperConfig()).item_embeddings
    fitted = time.perf_counter()
    fold_in = task.fold_in
    averages = unseen.weighted_averages(embeddings, fold_in.indptr, fold_in.indices, fold_in.data)
    return Scored(retrieval.score(averages, embeddings, metric), fitted, embeddings.nbytes)


def paper_prepared(matrix, item_ids, held_out):
    """A matrix of ratings `[n_users, n_items]` as the paper's training takes it: all is trained on, and a tenth of
    that fills the place of the validation, which only reports."""
    ratings = matrix.tocoo()
    order = np.random.default_rng(0).permutation(ratings.nnz)
    train_rows, validation = order, order[: ratings.nnz // 10]
    users, items, values = ratings.row.astype(np.int32), ratings.col.astype(np.int32), ratings.data.astype(np.float32)
    return Prepared(
        user_ids=np.arange(ratings.shape[0]),
        item_ids=item_ids,
        train_users=users[train_rows],
        train_items=items[train_rows],
        train_ratings=values[train_rows],
        validation_users=users[validation],
        validation_items=items[validation],
        validation_ratings=values[validation],
        held_out=held_out,
        counts={},
        fingerprint="",
    )
