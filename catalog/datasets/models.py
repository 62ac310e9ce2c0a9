"""What is kept of data sets that staff have loaded by a worker."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class ImportJob(models.Model):
    """A data set that a worker loads, and what came of it. `catalog.datasets.jobs` alone moves it.

    `report` holds the numbers of `catalog.datasets.load.Report`, or null where the files held nothing new.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    source = models.CharField(_("loaded from"), max_length=200)
    name = models.SlugField(_("name of the data set"))
    replace = models.BooleanField(
        _("may leave much less"),
        default=False,
        db_default=False,
        editable=False,
        help_text=_("Whether the data set may lose more than a fifth of its members or interactions."),
    )
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.QUEUED, editable=False)
    error = models.TextField(_("error"), blank=True, editable=False)
    report = models.JSONField(_("report"), null=True, editable=False)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("started by")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)

    class Meta:
        app_label = "catalog"
        ordering = ["-created_at", "-pk"]
        verbose_name = _("import of a data set")
        verbose_name_plural = _("imports of data sets")
        permissions = [("load_dataset", "Can load data sets")]
        constraints = [
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(error=""), name="import_failure_has_error"),
            models.CheckConstraint(
                condition=~Q(state__in=["done", "failed"]) | Q(finished_at__isnull=False), name="import_end_has_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} ({self.get_state_display()})"
