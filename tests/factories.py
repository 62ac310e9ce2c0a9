"""Rows for tests: one function a model, each with defaults that pass its constraints."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from catalog.models import (
    ADULT_GENRE,
    Anime,
    AnimeType,
    Dataset,
    Genre,
    ListEntry,
    ListStatus,
    Member,
    Rating,
    User,
)
from recommender.engine.artifact import write_artifact
from recommender.engine.history.model import HistoryModel, RatingHead
from recommender.engine.paper.clusters import GaussianMixtureClusters, KMeansClusters
from recommender.models import TrainingRun
from recommender.runs import lifecycle
from recommender.serving.models.artifacts import HELD_OUT
from recommender.serving.models.paper import GMM, KMEANS

_numbers = itertools.count(1)


def user(username: str | None = None, **fields: Any) -> User:
    name = username or f"user{next(_numbers)}"
    return User.objects.create_user(name, fields.pop("email", f"{name}@example.com"), **fields)


def staff(**fields: Any) -> User:
    return user(is_staff=True, is_superuser=True, **fields)


def genre(name: str = "Action") -> Genre:
    return Genre.objects.get_or_create(name=name, defaults={"slug": name.lower().replace(" ", "-")})[0]


def _in_letters(number: int) -> str:
    """A word of its own for each number: titles that differ by numerals alone are of one franchise."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def anime(name: str | None = None, *, genres: tuple[str, ...] = ("Action",), **fields: Any) -> Anime:
    number = next(_numbers)
    row = Anime.objects.create(
        **{
            "mal_id": number,
            "name": name or f"Anime {_in_letters(number)}",
            "type": AnimeType.TV,
            "episodes": 12,
            "score": 7.0,
            "members": 1000,
            "is_adult": ADULT_GENRE in genres,
            **fields,
        }
    )
    row.genres.set([genre(name) for name in genres])
    return row


def odd_anime() -> list[Anime]:
    """What real catalogues hold and made-up rows forget: nothing known, entities in a name, long and other scripts."""
    nothing: dict[str, Any] = {"type": "", "episodes": None, "score": None, "members": 0, "genres": ()}
    return [
        anime("Unknown", mal_id=90001, **nothing),
        anime("K&#039;s &quot;Gintama&deg;", mal_id=90002, japanese_name="銀魂゜", studios=["", "A-1 %s {0}"]),
        anime("長" * 300, mal_id=2**31 - 1, type="Music", episodes=1, score=1.0, source="Other", studios=[]),
        anime("Adult", mal_id=90004, genres=(ADULT_GENRE,), **{k: v for k, v in nothing.items() if k != "genres"}),
    ]


def rating(user: User, anime: Anime, score: int = 8) -> Rating:
    return Rating.objects.create(user=user, anime=anime, score=score)


def list_entry(user: User, anime: Anime, status: str = ListStatus.PLAN_TO_WATCH) -> ListEntry:
    return ListEntry.objects.create(user=user, anime=anime, status=status)


def dataset(name: str = "test-ratings", **fields: Any) -> Dataset:
    return Dataset.objects.get_or_create(name=name, defaults={"fingerprint": "0" * 64, **fields})[0]


def member(history: dict[int, int], **fields: Any) -> Member:
    """A data set's rater; `history` maps anime id to score, or to -1 for watched and not rated."""
    ids = sorted(history)
    return Member.objects.create(
        **{
            "dataset": fields.pop("dataset", None) or dataset(),
            "external_id": next(_numbers),
            "anime_ids": ids,
            "scores": [history[i] for i in ids],
            **fields,
        }
    )


def _cluster_arrays(
    item_embeddings: Mapping[int, Sequence[float]], clusters: Mapping[int, int]
) -> dict[str, np.ndarray]:
    """Centroids are the means of their anime; the mixture has them, with unit variances."""
    labels = np.array([clusters[i] for i in sorted(item_embeddings)], dtype=np.int32)
    vectors = np.array([item_embeddings[i] for i in sorted(item_embeddings)], dtype=np.float64)
    means = np.array([vectors[labels == cluster].mean(axis=0) for cluster in range(labels.max() + 1)])
    mixture = GaussianMixtureClusters(
        labels=labels,
        weights=np.full(len(means), 1 / len(means)),
        means=means,
        precisions_cholesky=np.stack([np.eye(means.shape[1])] * len(means)),
    )
    return KMeansClusters(labels, means).to_arrays(KMEANS) | mixture.to_arrays(GMM)


def published_model(
    item_embeddings: Mapping[int, Sequence[float]],
    user_embeddings: Mapping[int, Sequence[float]] | None = None,
    clusters: Mapping[int, int] | None = None,
    held_out: Sequence[int] | None = None,
) -> TrainingRun:
    """Write an artifact with these vectors by anime and user id, and publish it. Needs the `artifacts_dir` fixture.

    `clusters` has the cluster of each anime, by K-means and in the mixture alike; `held_out` the ids of whom the
    training left out.
    """
    return _publish(trained_model(item_embeddings, user_embeddings, clusters, held_out))


def trained_model(
    item_embeddings: Mapping[int, Sequence[float]],
    user_embeddings: Mapping[int, Sequence[float]] | None = None,
    clusters: Mapping[int, int] | None = None,
    held_out: Sequence[int] | None = None,
) -> TrainingRun:
    """The same before its evaluation."""
    users = user_embeddings or {-1: [1.0] * len(next(iter(item_embeddings.values())))}
    arrays: dict[str, np.ndarray] = {
        "user_ids": np.array(sorted(users), dtype=np.int64),
        "item_ids": np.array(sorted(item_embeddings), dtype=np.int64),
        "user_embeddings": np.array([users[i] for i in sorted(users)], dtype=np.float32),
        "item_embeddings": np.array([item_embeddings[i] for i in sorted(item_embeddings)], dtype=np.float32),
    }
    if clusters:
        arrays |= _cluster_arrays(item_embeddings, clusters)
    if held_out is not None:
        arrays[HELD_OUT] = np.array(sorted(held_out), dtype=np.int64)
    return _trained(TrainingRun.Family.PAPER, arrays)


def published_history_model(item_embeddings: Mapping[int, Sequence[float]], *, rating_mean: float = 7.0) -> TrainingRun:
    """A history model with these vectors in both towers, trained on ratings of this mean."""
    ids = sorted(item_embeddings)
    vectors = np.array([[*item_embeddings[i], 0.0] for i in ids], dtype=np.float32)
    zeros = np.zeros_like(vectors)
    model = HistoryModel.build(
        item_ids=np.array(ids),
        item_embeddings=vectors,
        history_embeddings=vectors,
        short_history_embeddings=zeros,
        rating_counts=np.arange(len(ids), 0, -1),
        rating_head=RatingHead(rating_mean, np.zeros(len(ids), dtype=np.float32), zeros, zeros),
    )
    return _publish(_trained(TrainingRun.Family.HISTORY, model.to_arrays()))


def _trained(family: str, arrays: dict[str, np.ndarray]) -> TrainingRun:
    run = TrainingRun.objects.create(family=family)
    write_artifact(
        run.artifact_path, family=run.family, arrays=arrays, config=run.config, fingerprint="0" * 64, metrics={}
    )
    lifecycle.move(run, TrainingRun.State.RUNNING)
    lifecycle.move(run, TrainingRun.State.EVALUATING, has_artifact=True)
    return run


def _publish(run: TrainingRun) -> TrainingRun:
    lifecycle.move(run, TrainingRun.State.READY)
    lifecycle.publish(run)
    return run
