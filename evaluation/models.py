"""What was measured of each trained model."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from evaluation.judging.models import Contestant, Experiment, ItemScore, Judgement, Review, Subject
from recommender.models import TrainingRun

__all__ = [
    "PROTOCOL",
    "Contestant",
    "Evaluation",
    "Experiment",
    "ItemScore",
    "Job",
    "Judgement",
    "Review",
    "Subject",
]

#: Says how users are drawn and lists are compared. Change it whenever numbers before and after do not compare.
PROTOCOL = "half-split-1"


class Job(models.Model):
    """Work that a Celery worker does once, and its state. `evaluation.jobs` alone moves it."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    state = models.CharField(_("state"), max_length=8, choices=State, default=State.QUEUED, editable=False)
    step = models.CharField(_("step"), max_length=200, blank=True, editable=False)
    error = models.TextField(_("error"), blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)

    class Meta:
        abstract = True
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(error=""), name="%(class)s_failure_has_error"),
            models.CheckConstraint(
                condition=~Q(state__in=["done", "failed"]) | Q(finished_at__isnull=False),
                name="%(class)s_end_has_time",
            ),
        ]

    @property
    def is_active(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)

    @property
    def seconds(self) -> float | None:
        """What it took, None before its end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class Evaluation(Job):
    """How well the lists of one run's model hold what people have rated whom the training left out."""

    run = models.ForeignKey(
        TrainingRun, verbose_name=_("training run"), on_delete=models.CASCADE, related_name="evaluations"
    )
    protocol = models.CharField(_("protocol"), max_length=40, default=PROTOCOL, editable=False)
    seed = models.PositiveIntegerField(_("seed"), default=0)
    n_users = models.PositiveIntegerField(_("users at most"), default=500)

    users = models.PositiveIntegerField(_("users measured"), default=0, editable=False)
    data_fingerprint = models.CharField(_("data fingerprint"), max_length=64, blank=True, editable=False)
    methods = models.JSONField(
        _("methods"),
        default=list,
        editable=False,
        help_text=_("For each way to make lists: every metric as mean, low and high bound, and seconds."),
    )
    differences = models.JSONField(
        _("differences"),
        default=list,
        editable=False,
        help_text=_("Each method's NDCG@10 less popularity's, on the same users: mean, bounds, adjusted p-value."),
    )
    per_user = models.JSONField(
        _("values by user"),
        default=dict,
        editable=False,
        help_text=_("NDCG@10 of each user by method, beside the users' ids: what two runs are compared by."),
    )

    class Meta(Job.Meta):
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        permissions = [("evaluate", _("Can launch evaluations and reports"))]
        constraints = [
            *Job.Meta.constraints,
            models.UniqueConstraint(fields=["run", "protocol", "seed"], name="evaluation_one_of_a_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.run}, {self.protocol}, seed {self.seed}"

    def method(self, key: str) -> dict[str, Any] | None:
        """What was measured of one method, None when it was not."""
        return next((method for method in self.methods if method["key"] == key), None)

    def mean(self, metric: str, method: str) -> float | None:
        """The mean of a metric such as "ndcg@10" of one method, None when it was not measured."""
        found = self.method(method)
        return None if found is None else float(found["metrics"][metric][0])


class PaperReport(Job):
    """The whole paper, reproduced on the loaded data with the settings of one run of the paper's family."""

    run = models.OneToOneField(
        TrainingRun, verbose_name=_("training run"), on_delete=models.CASCADE, related_name="paper_report"
    )
    is_quick = models.BooleanField(
        _("quick"),
        default=False,
        help_text=_("On a reduced grid: to check that everything works, not for its figures."),
    )
    findings = models.JSONField(_("findings"), default=dict, editable=False)

    class Meta(Job.Meta):
        verbose_name = _("report of the paper")
        verbose_name_plural = _("reports of the paper")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name}, {self.run}"
