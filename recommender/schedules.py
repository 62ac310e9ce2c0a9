"""What beat starts: trainings when the data has grown, at most one at a time however often beat asks."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Max, QuerySet, Sum
from django.utils import timezone

from catalog.histories import WATCHED
from catalog.models import Dataset, ListEntry, Rating
from recommender import locks, services
from recommender.models import TrainingRun

#: A second request within this time is the first one again, from another beat or a message that came twice.
SAME_REQUEST = timedelta(minutes=10)
#: The number in `locks.NAMESPACE` that no run has.
LAUNCHING = 0


@dataclass(frozen=True)
class Growth:
    """Interactions now, and those that came since the last training began."""

    total: int
    new: int

    @property
    def percent(self) -> float:
        """New interactions in hundredths of those before; all of them are new before the first training."""
        before = self.total - self.new
        return 100 * self.new / before if before else 100.0 * bool(self.new)


def growth() -> Growth:
    """How much there is to learn from that no training has seen, failed and cancelled ones not counted."""
    seen = TrainingRun.objects.exclude(state__in=[TrainingRun.State.FAILED, TrainingRun.State.CANCELLED])
    since = seen.aggregate(last=Max("created_at"))["last"]
    people, lists = Rating.objects.all(), ListEntry.objects.filter(status__in=WATCHED)
    members = Dataset.objects.all()
    total = people.count() + lists.count() + _interactions(members)
    if since is None:
        return Growth(total, total)
    people, lists = people.filter(rated_at__gt=since), lists.filter(updated_at__gt=since)
    return Growth(total, people.count() + lists.count() + _interactions(members.filter(loaded_at__gt=since)))


def retrain(cause: TrainingRun.Cause, *, least_new: int = 1, least_percent: float | None = None) -> TrainingRun | None:
    """Launch a training that continues from the published model, unless nothing calls for it; return it or None.

    Nothing does while another training is on its way, right after the same cause launched one, or when neither
    `least_new` interactions nor, where given, `least_percent` of those before are new.
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
        if not grown.new or not is_enough:
            return None
        return services.launch_training(started_by=None, cause=cause, warm_start=True)


def _interactions(datasets: QuerySet[Dataset]) -> int:
    return int(datasets.aggregate(sum=Sum("interaction_count"))["sum"] or 0)
