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
from recommender import lifecycle
from recommender.engine.artifact import write_artifact
from recommender.models import TrainingRun

_numbers = itertools.count(1)


def user(username: str | None = None, **fields: Any) -> User:
    name = username or f"user{next(_numbers)}"
    return User.objects.create_user(name, fields.pop("email", f"{name}@example.com"), **fields)


def staff(**fields: Any) -> User:
    return user(is_staff=True, is_superuser=True, **fields)


def genre(name: str = "Action") -> Genre:
    return Genre.objects.get_or_create(name=name, defaults={"slug": name.lower().replace(" ", "-")})[0]


def anime(name: str | None = None, *, genres: tuple[str, ...] = ("Action",), **fields: Any) -> Anime:
    number = next(_numbers)
    row = Anime.objects.create(
        **{
            "mal_id": number,
            "name": name or f"Anime {number}",
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


def published_model(
    item_embeddings: Mapping[int, Sequence[float]], user_embeddings: Mapping[int, Sequence[float]] | None = None
) -> TrainingRun:
    """Write an artifact with these vectors by anime and user id, and publish it. Needs the `artifacts_dir` fixture."""
    run = trained_model(item_embeddings, user_embeddings)
    lifecycle.move(run, TrainingRun.State.READY)
    lifecycle.publish(run)
    return run


def trained_model(
    item_embeddings: Mapping[int, Sequence[float]], user_embeddings: Mapping[int, Sequence[float]] | None = None
) -> TrainingRun:
    """The same before its evaluation."""
    users = user_embeddings or {-1: [1.0] * len(next(iter(item_embeddings.values())))}
    run = TrainingRun.objects.create(family=TrainingRun.Family.PAPER)
    write_artifact(
        run.artifact_path,
        family=run.family,
        arrays={
            "user_ids": np.array(sorted(users), dtype=np.int64),
            "item_ids": np.array(sorted(item_embeddings), dtype=np.int64),
            "user_embeddings": np.array([users[i] for i in sorted(users)], dtype=np.float32),
            "item_embeddings": np.array([item_embeddings[i] for i in sorted(item_embeddings)], dtype=np.float32),
        },
        config=run.config,
        fingerprint="0" * 64,
        metrics={},
    )
    lifecycle.move(run, TrainingRun.State.RUNNING)
    lifecycle.move(run, TrainingRun.State.EVALUATING, has_artifact=True)
    return run
