"""What beat starts: trainings when the data has grown, at most one at a time however often beat asks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, Max, QuerySet, Sum
from django.db.models.functions import Least
from django.utils import timezone

from catalog.histories import WATCHED
from catalog.models import Dataset, ListEntry, Rating
from common import locks
from recommender.models import TrainingRun
from recommender.runs import services

#: A second request within this time is the first one again, from another beat or a message that came twice.
SAME_REQUEST = timedelta(minutes=10)
#: How much of what a trigger asks for one account can bring, of ratings and of list entries each: nobody alone starts
#: trainings over and over by changing their own list.
MAX_ACCOUNT_SHARE = 0.05
#: The number in `locks.NAMESPACE` that no run has.
LAUNCHING = 0


@dataclass(frozen=True)
class Growth:
    """Interactions now, those since the last training began, and when that was (None before the first)."""

    total: int
    new: int
    since: datetime | None = None

    @property
    def percent(self) -> float:
        """New interactions in hundredths of those before; all of them are new before the first training."""
        return 100 * self.new / self.before if self.before else 100.0 * bool(self.new)

    @property
    def before(self) -> int:
        return self.total - self.new


def growth() -> Growth:
    """How much there is to learn from that no training has seen, failed and cancelled ones not counted."""
    seen = TrainingRun.objects.exclude(state__in=[TrainingRun.State.FAILED, TrainingRun.State.CANCELLED])
    since = seen.aggregate(last=Max("created_at"))["last"]
    total = sum(rows.count() for rows in _of_accounts()) + _of_members()
    if since is None:
        return Growth(total, total)
    return Growth(total, sum(rows.count() for rows in _of_accounts(since)) + _of_members(since), since)


def retrain(cause: TrainingRun.Cause, *, least_new: int = 1, least_percent: float | None = None) -> TrainingRun | None:
    """Launch a training that continues from the published model, unless nothing calls for it; return it or None.

    Nothing does while another training is on its way, right after the same cause launched one, or when neither
    `least_new` interactions nor, where given, `least_percent` of those before are new. One account counts only for its
    share of them (`MAX_ACCOUNT_SHARE`), once there has been a training.
    """
    now = timezone.now()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [locks.NAMESPACE, LAUNCHING])
        # A range, so that a clock that was wrong does not hold everything up for as long as it was wrong.
        same = TrainingRun.objects.filter(cause=cause, created_at__range=(now - SAME_REQUEST, now + SAME_REQUEST))
        if TrainingRun.objects.active().exists() or same.exists():
            return None
        grown = growth()
        is_enough = grown.new >= least_new or (least_percent is not None and grown.percent >= least_percent)
        if not grown.new or not is_enough or not _is_of_many(grown, least_new, least_percent):
            return None
        return services.launch_training(started_by=None, cause=cause, warm_start=True)


def _is_of_many(grown: Growth, least_new: int, least_percent: float | None) -> bool:
    """Whether what is new is still enough when each account counts only for its share of the trigger."""
    if grown.since is None:
        return True
    needed = float(least_new)
    if least_percent is not None and grown.before:
        needed = min(needed, least_percent * grown.before / 100)
    most = max(1, int(needed * MAX_ACCOUNT_SHARE))
    capped = sum(_capped(rows, most) for rows in _of_accounts(grown.since))
    return capped + _of_members(grown.since) >= needed


def _of_accounts(since: datetime | None = None) -> tuple[QuerySet[Rating], QuerySet[ListEntry]]:
    """Ratings and watched list entries of accounts, where a time is given only those written after it."""
    ratings, entries = Rating.objects.all(), ListEntry.objects.filter(status__in=WATCHED)
    if since is None:
        return ratings, entries
    return ratings.filter(rated_at__gt=since), entries.filter(updated_at__gt=since)


def _of_members(since: datetime | None = None) -> int:
    """Interactions of data sets, where a time is given only of those loaded after it."""
    datasets = Dataset.objects.filter(loaded_at__gt=since) if since else Dataset.objects.all()
    return int(datasets.aggregate(sum=Sum("interaction_count"))["sum"] or 0)


def _capped(rows: "QuerySet[Rating] | QuerySet[ListEntry]", most: int) -> int:
    """The number of rows, with no more than `most` of any account."""
    by_account = rows.order_by().values("user").annotate(count=Count("pk"))
    return int(by_account.aggregate(sum=Sum(Least("count", most)))["sum"] or 0)
