"""Matrix factorisations of the libraries `implicit` and LightFM."""

import time

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from scipy import sparse

from benchmarks.peers import Scored, as_ones


def ials(task, *, factors, regularisation):
    """Implicit ALS (Hu, Koren, Volinsky, 2008); a held-out user's vector is solved for from the fold-in."""
    model = AlternatingLeastSquares(
        factors=factors, regularization=regularisation, alpha=1.0, iterations=15, random_state=0, num_threads=2
    )
    model.fit(task.watched(), show_progress=False)
    fitted = time.perf_counter()
    users = model.recalculate_user(np.arange(task.fold_in.shape[0]), as_ones(task.fold_in))
    return Scored(users @ model.item_factors.T, fitted, model.item_factors.nbytes)


def bpr(task, *, factors, regularisation):
    """BPR (Rendle et al., 2009). It has no fold-in, so the folded-in ratings are trained on with the others."""
    n_users = task.ratings.shape[0]
    model = BayesianPersonalizedRanking(
        factors=factors,
        regularization=regularisation,
        learning_rate=0.05,
        iterations=150,
        random_state=0,
        num_threads=1,
    )
    model.fit(sparse.vstack([task.watched(), as_ones(task.fold_in)]).tocsr(), show_progress=False)
    fitted = time.perf_counter()
    return Scored(model.user_factors[n_users:] @ model.item_factors.T, fitted, model.item_factors.nbytes)


def warp(task, *, factors, regularisation):
    """LightFM with the WARP loss (Weston et al., 2011). It has no fold-in either: see `bpr`.

    Its maintained fork is compiled on installation, so it is no development requirement:
    `pip install -r benchmarks/requirements.txt`.
    """
    from lightfm import LightFM

    n_users = task.ratings.shape[0]
    model = LightFM(
        no_components=factors,
        loss="warp",
        learning_schedule="adagrad",
        learning_rate=0.05,
        user_alpha=regularisation,
        item_alpha=regularisation,
        max_sampled=30,
        random_state=0,
    )
    watched = sparse.vstack([task.watched(), as_ones(task.fold_in)]).tocoo()
    model.fit(watched, epochs=40, num_threads=2)
    fitted = time.perf_counter()
    scores = model.user_embeddings[n_users:] @ model.item_embeddings.T + model.item_biases
    return Scored(scores, fitted, model.item_embeddings.nbytes + model.item_biases.nbytes)
