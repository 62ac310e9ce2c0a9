"""What is known of the data sets that the models learned from, as of a minute ago at most."""

from dataclasses import dataclass

from django.core.cache import cache

from catalog.models import Dataset

KEPT_S = 60


@dataclass(frozen=True)
class DataState:
    """`version` changes with the data sets; `is_simulated` when some of their raters are made up by a program."""

    version: str
    is_simulated: bool


def data_state() -> DataState:
    """One query at most."""
    found: DataState | None = cache.get("state-of-data")
    if found is None:
        rows = list(Dataset.objects.order_by("pk").values_list("fingerprint", "is_simulated"))
        version = "-".join(fingerprint[:12] for fingerprint, _simulated in rows)
        found = DataState(version, any(simulated for _fingerprint, simulated in rows))
        cache.set("state-of-data", found, KEPT_S)
    return found
