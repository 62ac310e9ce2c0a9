"""Lists of two models at once, while the setting INTERLEAVED_RUN names a run beside the published one."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from django.conf import settings
from django.utils import timezone

from recommender.engine.artifact import ArtifactError
from recommender.engine.interleaving import team_draft
from recommender.models import TrainingRun
from recommender.serving.anime_arrays import catalogue
from recommender.serving.lists import MAX_K, Method, Path, RecommendationList, recommend_for_ratings
from recommender.serving.models.artifacts import Model, load


def recommend(
    ratings: Mapping[int, int], *, k: int, offset: int = 0, method: str = Method.AUTO, **asked: Any
) -> RecommendationList:
    """As `serving.recommend_for_ratings`; of both models where there is a rival, and both can say something.

    Raises MethodUnavailable as that does.
    """
    anime = catalogue()
    rival = rival_model()
    depth = k + offset
    if rival is None or method != Method.AUTO or depth > MAX_K:
        return recommend_for_ratings(ratings, k=k, offset=offset, method=method, anime=anime, **asked)
    # From its beginning, so that the pages of a drafted list join.
    ours = recommend_for_ratings(ratings, k=depth, method=method, anime=anime, **asked)
    alone = replace(ours, items=ours.items[offset:], offset=offset)
    if rival.version == ours.model_version:
        return alone
    theirs = recommend_for_ratings(ratings, k=depth, method=method, anime=anime, model=rival, **asked)
    if Path.COLD_START in (ours.path, theirs.path):
        return alone
    by_id = ({item.anime_id: item for item in ours.items}, {item.anime_id: item for item in theirs.items})
    ids, teams = team_draft([*by_id[0]], [*by_id[1]], depth, _lot(ratings, asked.get("user_id")))
    items = tuple(by_id[team][anime_id] for anime_id, team in zip(ids, teams, strict=True))
    return replace(alone, items=items[offset:], teams=teams[offset:], rival_version=theirs.model_version)


def rival_model() -> Model | None:
    """The model that is compared with the published one, or None; no query once it is loaded."""
    return _rival(settings.INTERLEAVED_RUN) if settings.INTERLEAVED_RUN else None


@lru_cache(maxsize=1)
def _rival(pk: int) -> Model | None:
    run = TrainingRun.objects.filter(pk=pk, has_artifact=True).first()
    if run is None:
        return None
    try:
        return load(run)
    except (ArtifactError, KeyError):
        return None


def forget() -> None:
    """Unmap the rival, so that the next call opens it again."""
    _rival.cache_clear()


def _lot(ratings: Mapping[int, int], user_id: int | None) -> np.random.Generator:
    """The same for one person all day, so that the pages of their list join."""
    who = f"{timezone.now().date()}:{user_id or sorted(ratings.items())}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(who.encode()).digest()[:8]))
