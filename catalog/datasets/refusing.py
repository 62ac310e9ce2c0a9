"""Loads that would empty a data set, which a cut-off or mistaken file does without a single bad line.

Each function raises DatasetError inside the load's transaction, so that nothing of the load stays.
"""

from catalog.datasets.errors import DatasetError
from catalog.datasets.members import Tally
from catalog.datasets.source import ANIME, RATINGS
from catalog.models import Dataset

#: A load that leaves a smaller share of the members or interactions has to be asked for by name.
SMALLEST_SHARE = 0.8


def refuse_without_anime(anime: int, *, bad_lines: int) -> None:
    """Refuse a catalogue that has no anime."""
    if not anime:
        raise DatasetError(
            f"No anime would be loaded: {ANIME} has {_no_lines(bad_lines)}. Get the whole file, or correct its lines. "
            "Nothing was changed."
        )


def refuse_without_members(tally: Tally, *, unknown_anime: int, bad_lines: int) -> None:
    """Refuse ratings that leave no member; `unknown_anime` is how many were of anime outside the catalogue."""
    if tally.members:
        return
    if unknown_anime:
        raise DatasetError(
            f"No member would be left: all {unknown_anime:,} interactions in {RATINGS} are with anime that {ANIME} "
            "does not have. Take both files from the same data set. Nothing was changed."
        )
    raise DatasetError(
        f"No member would be left: {RATINGS} has {_no_lines(bad_lines)}. Get the whole file, or correct its lines. "
        "Nothing was changed."
    )


def refuse_shrinking(dataset: Dataset, tally: Tally) -> None:
    """Refuse to leave much less than the data set had after its last load; a new data set had nothing."""
    counts = {
        "members": (dataset.member_count, tally.members),
        "interactions": (dataset.interaction_count, tally.interactions),
    }
    lost = [
        f"had {before:,} {what}, would have {after:,} ({100 * after / before:.0f} %)"
        for what, (before, after) in counts.items()
        if after < SMALLEST_SHARE * before
    ]
    if lost:
        raise DatasetError(
            f"The data set {dataset.name} would lose more than {100 * (1 - SMALLEST_SHARE):.0f} %: it "
            f"{'; it '.join(lost)}. If the files are whole and this is meant, load them with the option --replace "
            'or, in the API, with "replace": true. Nothing was changed.'
        )


def _no_lines(bad_lines: int) -> str:
    return f"no good line ({bad_lines:,} are bad)" if bad_lines else "no line after its header"
