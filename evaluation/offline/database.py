"""The loaded database as an experiment's data set; `evaluation.offline.dataset` reads the same from files."""

import numpy as np

from catalog.models import Anime
from evaluation.offline.dataset import AnimeFacts, Dataset
from recommender.runs.snapshot import load_ratings


def read_database() -> Dataset:
    """Every rating of accounts and data set members, and every anime."""
    anime = list(Anime.objects.with_genres().order_by("pk"))
    return Dataset(
        name="the loaded database",
        ratings=load_ratings(),
        anime=AnimeFacts.from_rows(
            ids=np.array([one.pk for one in anime], dtype=np.int64),
            names=[one.name for one in anime],
            rating=np.array([np.nan if one.score is None else one.score for one in anime], dtype=np.float64),
            members=np.array([one.members for one in anime], dtype=np.float64),
            genres=[[genre.name for genre in one.genres.all()] for one in anime],
        ),
    )
