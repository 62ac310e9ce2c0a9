"""Anime, their genres and what metadata.csv adds, into the catalogue: only what differs is written."""

from collections.abc import Iterable, Sequence

from django.utils.text import slugify

from catalog.datasets.staging import execute, names, stage
from catalog.datasets.tables import AnimeRow, MetadataRow
from catalog.models import ADULT_GENRE, Genre

_SLUG_LENGTH = 50


def write_anime(rows: Sequence[AnimeRow]) -> None:
    """Add the anime that are new, and change those that differ in a field or a genre."""
    values = ("name", "type", "episodes", "score", "members", "is_adult")
    stage(
        "staged_anime",
        "SELECT mal_id, name, type, episodes, score, members, is_adult FROM catalog_anime",
        (
            (row.mal_id, row.name, row.type, row.episodes, row.score, row.members, ADULT_GENRE in row.genres)
            for row in rows
        ),
    )
    execute(
        "INSERT INTO catalog_anime (mal_id, {columns}, japanese_name, source, studios, updated_at)"
        " SELECT mal_id, {columns}, '', '', '{{}}', now() FROM staged_anime ON CONFLICT (mal_id) DO UPDATE"
        " SET ({columns}, updated_at) = ROW ({new}, now()) WHERE ({old}) IS DISTINCT FROM ({new})",
        columns=names(values),
        new=names(values, "excluded"),
        old=names(values, "catalog_anime"),
    )
    _write_genres({genre for row in rows for genre in row.genres})
    stage(
        "staged_genre",
        "SELECT anime_id AS mal_id, name AS genre FROM catalog_anime_genres, catalog_genre",
        ((row.mal_id, genre) for row in rows for genre in row.genres),
    )
    # What is derived from the catalogue is kept by the anime's time of change, and genres are part of it.
    execute(
        "WITH wanted AS (SELECT mal_id, catalog_genre.id FROM staged_genre JOIN catalog_genre ON name = genre),"
        " gone AS (DELETE FROM catalog_anime_genres WHERE anime_id IN (SELECT mal_id FROM staged_anime)"
        "  AND (anime_id, genre_id) NOT IN (SELECT * FROM wanted) RETURNING anime_id),"
        " come AS (INSERT INTO catalog_anime_genres (anime_id, genre_id) SELECT * FROM wanted"
        "  ON CONFLICT DO NOTHING RETURNING anime_id)"
        " UPDATE catalog_anime SET updated_at = now() WHERE updated_at <> now()"
        " AND mal_id IN (SELECT anime_id FROM gone UNION ALL SELECT anime_id FROM come)"
    )


def write_metadata(rows: Sequence[MetadataRow]) -> None:
    """Set what metadata.csv says of the anime that the catalogue has."""
    values = ("japanese_name", "aired_from", "aired_to", "source", "studios")
    stage(
        "staged_metadata",
        "SELECT mal_id, japanese_name, aired_from, aired_to, source, studios FROM catalog_anime",
        ((row.mal_id, row.japanese_name, row.aired_from, row.aired_to, row.source, list(row.studios)) for row in rows),
    )
    execute(
        "UPDATE catalog_anime SET ({columns}, updated_at) = ROW ({new}, now()) FROM staged_metadata"
        " WHERE catalog_anime.mal_id = staged_metadata.mal_id AND ({old}) IS DISTINCT FROM ({new})",
        columns=names(values),
        new=names(values, "staged_metadata"),
        old=names(values, "catalog_anime"),
    )


def _write_genres(wanted: Iterable[str]) -> None:
    there = dict(Genre.objects.values_list("name", "slug"))
    taken = set(there.values())
    new = []
    for name in sorted(set(wanted) - there.keys()):
        slug = _free_slug(name, taken)
        taken.add(slug)
        new.append(Genre(name=name, slug=slug))
    Genre.objects.bulk_create(new)


def _free_slug(name: str, taken: set[str]) -> str:
    """A slug of its own, also for names of which nothing is left in ASCII or no more than of another."""
    slug = base = slugify(name)[: _SLUG_LENGTH - 6] or "genre"
    number = 2
    while slug in taken:
        slug = f"{base}-{number}"
        number += 1
    return slug
