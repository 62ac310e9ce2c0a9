"""A data set into the database, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from django.contrib.postgres.functions import TransactionNow
from django.db import connection, transaction

from catalog.datasets.catalogue import write_anime, write_metadata
from catalog.datasets.errors import DatasetError, Rejects
from catalog.datasets.members import write_members, write_scores
from catalog.datasets.ratings import Triples, read_ratings
from catalog.datasets.refusing import refuse_shrinking, refuse_without_anime, refuse_without_members
from catalog.datasets.source import ANIME, METADATA, RATINGS, Source
from catalog.datasets.tables import AnimeRow, MetadataRow, read_anime, read_metadata
from catalog.models import Anime, Dataset

#: Two imports at once would wait for each other's rows in different orders.
_LOCK = 7_240_002


@dataclass(frozen=True)
class Contents:
    """What a data set's files hold. `metadata` is None where there is no such file.

    `ratings` comes in blocks, which are read while those before them are written.
    """

    name: str
    fingerprint: str
    is_simulated: bool
    anime: Sequence[AnimeRow]
    metadata: Sequence[MetadataRow] | None
    ratings: Iterable[Triples]
    rejects: Rejects = field(default_factory=Rejects)


@dataclass(frozen=True)
class Report:
    """What a load did, in numbers."""

    anime: int
    members: int
    rated_anime: int
    interactions: int
    ratings: int
    unknown_anime_ratings: int
    repeated_ratings: int
    contradicted_ratings: int
    anime_changed: int
    members_changed: int
    simulated_removed: int
    anime_removed: int


@contextmanager
def contents_of(
    source: Source,
    name: str,
    fingerprint: str,
    rejects: Rejects,
    on_bytes: Callable[[int], object] = lambda n: None,
) -> Iterator[Contents]:
    """What the files of `source` hold. `on_bytes` is told how many bytes of the ratings each step has read."""
    with source.open(ANIME) as file:
        anime = read_anime(file, rejects)
    metadata = None
    if source.has(METADATA):
        with source.open(METADATA) as file:
            metadata = read_metadata(file, rejects)
    with source.open(RATINGS) as file:
        yield Contents(name, fingerprint, False, anime, metadata, read_ratings(file, rejects, on_bytes), rejects)


def is_loaded(name: str, fingerprint: str) -> bool:
    """Whether the data set `name` holds these very files."""
    return Dataset.objects.filter(name=name, fingerprint=fingerprint).exists()


@transaction.atomic
def load(contents: Contents, step: Callable[[str], object] = lambda text: None, *, may_shrink: bool = False) -> Report:
    """Write `contents` to the database and say what changed: nothing, when it is there already.

    Raises DatasetError when simulated raters would join real ones, when no anime or no member would be left, or,
    unless it `may_shrink`, when much less of a loaded data set would be left; and what reading the ratings raises.
    """
    bad_lines = contents.rejects.count
    refuse_without_anime(len(contents.anime), bad_lines=bad_lines)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    members_removed, anime_removed = _settle_simulated(contents)
    step(f"writing {len(contents.anime):,} anime")
    write_anime(contents.anime)
    if contents.metadata is not None:
        write_metadata(contents.metadata)
    step("reading and writing ratings")
    dataset, is_new = Dataset.objects.get_or_create(name=contents.name)
    known = _OfCatalogue(contents)
    members_changed, tally = write_members(dataset, known.blocks(), known.catalogue, is_new=is_new)
    refuse_without_members(tally, unknown_anime=known.others, bad_lines=contents.rejects.count - bad_lines)
    if not may_shrink:
        refuse_shrinking(dataset, tally)
    write_scores(dataset, tally)
    report = Report(
        anime=len(contents.anime),
        members=tally.members,
        rated_anime=tally.rated_anime,
        interactions=tally.interactions,
        ratings=tally.ratings,
        unknown_anime_ratings=known.others,
        repeated_ratings=tally.repeated,
        contradicted_ratings=tally.contradicted,
        # now() is the transaction's own time, the same in all its statements
        anime_changed=Anime.objects.filter(updated_at=TransactionNow()).count(),
        members_changed=members_changed,
        simulated_removed=members_removed,
        anime_removed=anime_removed,
    )
    _describe(dataset, contents, report)
    return report


class _OfCatalogue:
    """The interactions with anime of the data set's catalogue, and how many `others` there are."""

    def __init__(self, contents: Contents) -> None:
        self.catalogue = np.fromiter((row.mal_id for row in contents.anime), dtype=np.int32)
        self.others = 0
        self._ratings = contents.ratings

    def blocks(self) -> Iterator[Triples]:
        for users, anime, ratings in self._ratings:
            known = np.isin(anime, self.catalogue)
            self.others += len(known) - int(np.count_nonzero(known))
            yield users[known], anime[known], ratings[known]


def refuse_beside_real() -> None:
    """Raise DatasetError when there is real data, which simulated raters do not join."""
    if real := Dataset.objects.filter(is_simulated=False).first():
        raise DatasetError(
            f"The data set {real.name} is real, and simulated raters are not loaded beside it. Nothing was changed."
        )


def _settle_simulated(contents: Contents) -> tuple[int, int]:
    """Keep made-up tastes and real ones apart; return how many simulated members had to go, and how many anime.

    With them go the anime that real data does not have, but for those that an account has rated or listed.
    """
    if contents.is_simulated:
        refuse_beside_real()
        return 0, 0
    simulated = Dataset.objects.filter(is_simulated=True)
    if not simulated:
        return 0, 0
    members = sum(dataset.member_count for dataset in simulated)
    simulated.delete()
    others = Anime.objects.exclude(pk__in=[row.mal_id for row in contents.anime])
    _count, by_model = others.filter(ratings=None, list_entries=None).delete()
    return members, by_model.get(Anime._meta.label, 0)


def _describe(dataset: Dataset, contents: Contents, report: Report) -> None:
    described = {
        "fingerprint": contents.fingerprint,
        "is_simulated": contents.is_simulated,
        "anime_count": report.anime,
        "member_count": report.members,
        "interaction_count": report.interactions,
        "rating_count": report.ratings,
    }
    if any(getattr(dataset, name) != value for name, value in described.items()):
        for name, value in described.items():
            setattr(dataset, name, value)
        dataset.save()
