"""The admin's start page: how the data grows, what is served, what works and waits, and what failed."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Avg, Count, Exists, OuterRef
from django.db.models.functions import TruncDate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_celery_beat.models import PeriodicTask

from catalog.histories import WATCHED
from catalog.models import Dataset, ListEntry, Rating, User
from common.charts import Bars, Text, bar_chart
from evaluation.judging.models import Experiment, Judgement
from recommender.admin.comparison import in_words
from recommender.models import TrainingRun
from recommender.runs import schedules
from recsite.observability import queues

DAYS = 28
#: How long a failure is shown.
FAILURE_AGE = timedelta(days=7)


@require_safe
@never_cache
def dashboard(request: HttpRequest) -> HttpResponse:
    """The part of the start page that moves, for htmx."""
    if not request.user.has_perm("recommender.view_trainingrun"):
        raise PermissionDenied
    return render(request, "admin/_dashboard.html", context(request))


def context(request: HttpRequest) -> dict[str, Any]:
    """What the dashboard shows to who may see trainings, else nothing."""
    if not request.user.has_perm("recommender.view_trainingrun"):
        return {}
    now = timezone.now()
    runs = TrainingRun.objects.all()
    published = runs.published().first()
    return {
        "dashboard": {
            "published": published,
            "age": now - published.published_at if published and published.published_at else None,
            "ndcg": in_words(published.metrics["ndcg@10"]) if published and "ndcg@10" in published.metrics else "",
            "waiting": runs.filter(state=TrainingRun.State.READY).order_by("-pk")[:5],
            "active": runs.active().order_by("pk"),
            "failures": runs.filter(state=TrainingRun.State.FAILED, finished_at__gt=now - FAILURE_AGE)[:5],
            "growth": schedules.growth(),
            "coverage": coverage(),
            "queues": queues.lengths(),
            "schedule": _schedule(request, now),
            "growth_chart": _per_day(now),
            "judged": _judged(request),
            "is_simulated": Dataset.objects.filter(is_simulated=True).exists(),
        }
    }


def coverage() -> tuple[int, int]:
    """How many accounts get a list of their own, because they rated or watched something, and how many there are."""
    rated = Rating.objects.filter(user=OuterRef("pk"))
    watched = ListEntry.objects.filter(user=OuterRef("pk"), status__in=WATCHED)
    people = User.objects.filter(is_active=True)
    return people.filter(Exists(rated) | Exists(watched)).count(), people.count()


def _judged(request: HttpRequest) -> tuple[Experiment, list[dict[str, Any]]] | None:
    """The last experiment with scores and each contestant's mean, best first, for those who may see it."""
    scored = Judgement.objects.filter(state=Judgement.State.SCORED, overall__isnull=False)
    last = scored.order_by("-experiment_id").select_related("experiment").first()
    if last is None or not request.user.has_perm("evaluation.view_experiment"):
        return None
    means = scored.filter(experiment=last.experiment).order_by().values("contestant__label")
    rows = means.annotate(mean=Avg("overall"), count=Count("pk")).order_by("-mean")
    return last.experiment, [dict(row) for row in rows]


def _schedule(request: HttpRequest, now: datetime) -> list[tuple[PeriodicTask, datetime | None]]:
    """What beat sends and when next, for those who may see it."""
    if not request.user.has_perm("django_celery_beat.view_periodictask"):
        return []
    tasks = PeriodicTask.objects.select_related("crontab", "interval").order_by("name")
    return [(task, _next(task, now)) for task in tasks]


def _next(task: PeriodicTask, now: datetime) -> datetime | None:
    """When beat sends it next; None when it is switched off."""
    if not task.enabled:
        return None
    left: timedelta = task.schedule.remaining_estimate(task.last_run_at or now)
    # To the second: what is left was counted from a moment later than `now`.
    return (now + max(left, timedelta()) + timedelta(seconds=0.5)).replace(microsecond=0)


def _per_day(now: datetime) -> str:
    """Bars of the ratings that people gave, and of the accounts that they made, by day."""
    first = timezone.localdate(now) - timedelta(days=DAYS - 1)
    days = [first + timedelta(days=number) for number in range(DAYS)]
    ratings = _counted(Rating.objects.order_by().filter(rated_at__date__gte=first), "rated_at")
    people = _counted(User.objects.order_by().filter(date_joined__date__gte=first), "date_joined")
    text = Text(
        title=_("Growth by day"),
        description=_("Ratings given and accounts made on each of the last days."),
        x_label=_("day"),
        y_label=_("a day"),
    )
    bars = [
        Bars(_("ratings"), [ratings[day] for day in days]),
        Bars(_("new accounts"), [people[day] for day in days]),
    ]
    chart = bar_chart(text, [f"{day:%m-%d}" for day in days], bars)
    return mark_safe(chart)  # noqa: S308  the chart escapes its words


def _counted(rows: Any, field: str) -> Counter[date]:
    found: Iterable[tuple[date, int]] = (
        rows.annotate(day=TruncDate(field)).values_list("day").annotate(count=Count("pk"))
    )
    return Counter(dict(found))


admin.site.index_template = "admin/start.html"
view = admin.site.admin_view(dashboard)
