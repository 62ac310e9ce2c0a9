"""The ratings and the catalogue as they are at one moment, as the engine wants them."""

import numpy as np

from catalog.histories import read_interactions
from catalog.models import Anime
from recommender.engine.history.content import ItemContent
from recommender.engine.ratings import RatingMatrix


def load_ratings() -> RatingMatrix:
    """Every interaction in the database: accounts under their id, data set members under minus their row's id."""
    return RatingMatrix.from_arrays(*read_interactions())


def load_content() -> ItemContent:
    """What the catalogue says of every anime, rated or not."""
    anime = Anime.objects.order_by("pk").only("pk", "name", "type").prefetch_related("genres")
    rows = [(one.pk, one.name, tuple(genre.name for genre in one.genres.all()), one.type) for one in anime]
    ids, titles, genres, types = zip(*rows, strict=True) if rows else ((), (), (), ())
    return ItemContent(np.array(ids, dtype=np.int64), titles, genres, types)
