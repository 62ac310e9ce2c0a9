"""A data set into the database, in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from django.contrib.postgres.functions import TransactionNow
from django.db import connection, transaction
from numpy.typing import NDArray

from catalog.importing.catalogue import write_anime, write_metadata
from catalog.importing.errors import DatasetError
from catalog.importing.members import Histories, insert_members, replace_members
from catalog.importing.ratings import Triples
from catalog.importing.tables import AnimeRow, MetadataRow
from catalog.models import UNRATED, Anime, Dataset

#: Two imports at once would wait for each other's rows in different orders.
_LOCK = 7_240_002


@dataclass(frozen=True)
class Contents:
    """What was read of a data set's files. `metadata` is None where there is no such file."""

    name: str
    fingerprint: str
    is_simulated: bool
    anime: Sequence[AnimeRow]
    metadata: Sequence[MetadataRow] | None
    ratings: Triples


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


@transaction.atomic
def load(contents: Contents, step: Callable[[str], object] = lambda text: None) -> Report:
    """Write `contents` to the database and say what changed: nothing, when it is there already.

    Raises DatasetError when simulated raters would join real ones.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    removed = _settle_simulated(contents)
    step(f"writing {len(contents.anime):,} anime")
    write_anime(contents.anime)
    if contents.metadata is not None:
        write_metadata(contents.metadata)
    catalogue = np.fromiter((row.mal_id for row in contents.anime), dtype=np.int32)
    triples, unknown = _with_anime_of(catalogue, contents.ratings)
    histories = Histories.of(triples)
    step(f"writing {len(histories.anime):,} interactions of {len(histories):,} members")
    dataset, is_new = Dataset.objects.get_or_create(name=contents.name)
    members_changed = (insert_members if is_new else replace_members)(dataset, histories)
    report = Report(
        anime=len(contents.anime),
        members=len(histories),
        rated_anime=int(np.count_nonzero(np.isin(catalogue, histories.anime))),
        interactions=len(histories.anime),
        ratings=int(np.count_nonzero(histories.scores != UNRATED)),
        unknown_anime_ratings=unknown,
        repeated_ratings=histories.repeated,
        contradicted_ratings=histories.contradicted,
        # now() is the transaction's own time, the same in all its statements
        anime_changed=Anime.objects.filter(updated_at=TransactionNow()).count(),
        members_changed=members_changed,
        simulated_removed=removed,
    )
    _describe(dataset, contents, report)
    return report


def refuse_beside_real() -> None:
    """Raise DatasetError when there is real data, which simulated raters do not join."""
    if real := Dataset.objects.filter(is_simulated=False).first():
        raise DatasetError(
            f"The data set {real.name} is real, and simulated raters are not loaded beside it. Nothing was changed."
        )


def _settle_simulated(contents: Contents) -> int:
    """Keep made-up tastes and real ones apart; return how many simulated members had to go."""
    if contents.is_simulated:
        refuse_beside_real()
        return 0
    simulated = Dataset.objects.filter(is_simulated=True)
    members = sum(simulated.values_list("member_count", flat=True))
    simulated.delete()
    return members


def _with_anime_of(catalogue: NDArray[np.int32], triples: Triples) -> tuple[Triples, int]:
    """The interactions with anime of the catalogue, and how many others there are."""
    known = np.isin(triples[1], catalogue)
    unknown = len(known) - int(np.count_nonzero(known))
    if not unknown:
        return triples, 0
    users, anime, ratings = triples
    return (users[known], anime[known], ratings[known]), unknown


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
