"""What an experiment works on: ratings and the facts about the anime, from a folder of the Kaggle files.

No Django: `evaluation.offline.database` gives the same from the loaded database. Needs pandas, so workers and commands
only.
"""

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.engine.ratings import MAX_RATING, MIN_RATING, UNRATED, RatingMatrix


class DatasetError(ValueError):
    """The files cannot be used; the message names the file, the line and the column, and what is wrong."""


@dataclass(frozen=True)
class AnimeFacts:
    """What is known of the anime whoever rates them, in order of id.

    Attributes:
        ids: `[n_anime]`, ascending.
        names: `[n_anime]`.
        rating: mean community rating `[n_anime]`, NaN where unknown.
        members: community members `[n_anime]`.
        genres: `[n_anime, n_genres]`.
        genre_names: `[n_genres]`.
    """

    ids: NDArray[np.int64]
    names: tuple[str, ...]
    rating: NDArray[np.float64]
    members: NDArray[np.float64]
    genres: NDArray[np.bool_]
    genre_names: tuple[str, ...]

    @classmethod
    def from_rows(
        cls, ids: NDArray[Any], names: list[str], rating: NDArray[Any], members: NDArray[Any], genres: list[list[str]]
    ) -> "AnimeFacts":
        """Put rows in any order into order of id."""
        order = np.argsort(ids, kind="stable")
        genre_names = tuple(sorted({name for row in genres for name in row}))
        place = {name: i for i, name in enumerate(genre_names)}
        table = np.zeros((len(ids), len(genre_names)), dtype=np.bool_)
        for row, index in enumerate(order):
            table[row, [place[name] for name in genres[index]]] = True
        return cls(
            ids=np.asarray(ids, dtype=np.int64)[order],
            names=tuple(names[index] for index in order),
            rating=np.asarray(rating, dtype=np.float64)[order],
            members=np.asarray(members, dtype=np.float64)[order],
            genres=table,
            genre_names=genre_names,
        )

    def of(self, anime_ids: NDArray[np.int64]) -> "AnimeFacts":
        """The facts of these anime, in their order; one that is not known has no name, rating, member or genre."""
        places = np.searchsorted(self.ids, anime_ids).clip(max=max(len(self.ids) - 1, 0))
        known = self.ids[places] == anime_ids if len(self.ids) else np.zeros(len(anime_ids), dtype=np.bool_)
        return AnimeFacts(
            ids=anime_ids,
            names=tuple(
                self.names[place] if is_known else f"anime {anime_id}"
                for place, is_known, anime_id in zip(places, known, anime_ids, strict=True)
            ),
            rating=_where(known, self.rating, places, np.nan),
            members=_where(known, self.members, places, 0),
            genres=_where(known[:, None], self.genres, places, False),
            genre_names=self.genre_names,
        )


@dataclass(frozen=True)
class Dataset:
    """Ratings, anime, and the name under which a report speaks of them."""

    name: str
    ratings: RatingMatrix
    anime: AnimeFacts


def read_folder(path: Path) -> Dataset:
    """Read `anime.csv` and `rating.csv` of the Kaggle "Anime Recommendations Database" format.

    Raises:
        DatasetError: a file or column that is missing, or a value that is none.
    """
    anime = _table(path / "anime.csv", ["anime_id", "name", "genre", "rating", "members"])
    ratings = _table(path / "rating.csv", ["user_id", "anime_id", "rating"])
    facts = AnimeFacts.from_rows(
        ids=_numbers(anime, "anime_id", path / "anime.csv"),
        names=[html.unescape(name) for name in anime["name"]],
        rating=_numbers(anime, "rating", path / "anime.csv", optional=True),
        members=_numbers(anime, "members", path / "anime.csv"),
        genres=[[name.strip() for name in row.split(",") if name.strip()] for row in anime["genre"]],
    )
    given = _numbers(ratings, "rating", path / "rating.csv")
    wrong = np.flatnonzero((given != UNRATED) & ((given < MIN_RATING) | (given > MAX_RATING)))
    if len(wrong):
        raise DatasetError(
            f"{path / 'rating.csv'}, line {wrong[0] + 2}, column rating: {given[wrong[0]]:g} is not a rating; "
            f"it is {MIN_RATING} to {MAX_RATING}, or {UNRATED} for none"
        )
    try:
        matrix = RatingMatrix.from_arrays(
            _numbers(ratings, "user_id", path / "rating.csv").astype(np.int64),
            _numbers(ratings, "anime_id", path / "rating.csv").astype(np.int64),
            given.astype(np.int8),
        )
    except ValueError as error:
        raise DatasetError(f"{path / 'rating.csv'}: {error}") from None
    return Dataset(name=path.resolve().name, ratings=matrix, anime=facts)


def _table(path: Path, columns: list[str]) -> Any:
    """A data frame of these columns as text."""
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=lambda name: name in columns)
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist; give the folder that holds anime.csv and rating.csv") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DatasetError(f"{path} cannot be read as CSV: {error}") from None
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DatasetError(f"{path} has no column {missing[0]}; it needs {', '.join(columns)}")
    return frame


def _numbers(frame: Any, column: str, path: Path, *, optional: bool = False) -> NDArray[np.float64]:
    """One column as numbers; where `optional`, an empty field is NaN."""
    import pandas as pd

    values = np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)
    empty = np.asarray(frame[column] == "", dtype=np.bool_)
    wrong = np.flatnonzero(np.isnan(values) & ~empty if optional else np.isnan(values))
    if len(wrong):
        line = wrong[0]
        raise DatasetError(f"{path}, line {line + 2}, column {column}: {frame[column].iloc[line]!r} is not a number")
    return values


def _where(known: NDArray[np.bool_], values: NDArray[Any], places: NDArray[Any], otherwise: Any) -> NDArray[Any]:
    if not len(values):
        return np.full((len(places), *values.shape[1:]), otherwise)
    return np.asarray(np.where(known, values[places], otherwise))
