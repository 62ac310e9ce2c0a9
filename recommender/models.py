"""Training runs, and which of them is published."""

import uuid
from pathlib import Path

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def active(self) -> "TrainingRunQuerySet":
        """Queued or being worked on."""
        return self.filter(state__in=TrainingRun.ACTIVE)

    def unfinished(self) -> "TrainingRunQuerySet":
        """Active, or ready and still to publish itself."""
        return self.filter(Q(state__in=TrainingRun.ACTIVE) | Q(state=TrainingRun.State.READY, publishes_itself=True))

    def published(self) -> "TrainingRunQuerySet":
        """The one run whose model is served, or none."""
        return self.filter(state=TrainingRun.State.PUBLISHED)

    def with_model(self) -> "TrainingRunQuerySet":
        """Those whose training came to its end, with a model on disk."""
        return self.filter(has_artifact=True, state__in=TrainingRun.WITH_MODEL)


class TrainingRun(models.Model):
    """One training of one model: who asked for it, how it goes, and what came of it.

    The states and the moves between them are in `recommender.runs.lifecycle`; nothing else changes `state`. The
    published pointer is the state itself: the database admits one run in state PUBLISHED.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        EVALUATING = "evaluating", _("Evaluating")
        READY = "ready", _("Ready")
        PUBLISHED = "published", _("Published")
        RETIRED = "retired", _("Retired")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Phase(models.TextChoices):
        WAITING = "waiting", _("Waiting for a worker")
        SNAPSHOT = "snapshot", _("Reading the ratings")
        PREPARING = "preparing", _("Preparing")
        TRAINING = "training", _("Training")
        CLUSTERING = "clustering", _("Clustering the anime")
        WRITING = "writing", _("Writing the model")
        EVALUATING = "evaluating", _("Measuring the model")
        DONE = "done", _("Done")

    class Family(models.TextChoices):
        HISTORY = "history", _("History two-tower")
        PAPER = "paper", _("The paper's two-tower")

    class Cause(models.TextChoices):
        PERSON = "person", _("A person")
        FIRST = "first", _("A new site")
        NIGHTLY = "nightly", _("The nightly schedule")
        GROWTH = "growth", _("New ratings")

    ACTIVE = (State.QUEUED, State.RUNNING, State.EVALUATING)
    WITH_MODEL = (State.READY, State.PUBLISHED, State.RETIRED)
    #: Its files may go: nobody is served by it, and nobody works on it.
    DISPOSABLE = (State.READY, State.RETIRED, State.FAILED, State.CANCELLED)

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    family = models.CharField(_("model family"), max_length=30, choices=Family, default=Family.HISTORY)
    config = models.JSONField(_("configuration"), default=dict, blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("started by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    cause = models.CharField(_("launched by"), max_length=10, choices=Cause, default=Cause.PERSON, editable=False)
    data_filter = models.JSONField(_("data filter"), default=dict, blank=True)
    warm_start = models.BooleanField(
        _("continue from the published model"),
        default=False,
        help_text=_(
            "For history two-towers: start from the published model, with a third of the epochs, if all the ratings it "
            "learned from still exist; otherwise start from scratch."
        ),
    )
    continued_from = models.ForeignKey(
        "self",
        verbose_name=_("continued from"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    publishes_itself = models.BooleanField(_("publish when ready"), default=True)

    state = models.CharField(_("state"), max_length=12, choices=State, default=State.QUEUED, editable=False)
    phase = models.CharField(_("phase"), max_length=12, choices=Phase, default=Phase.WAITING, editable=False)
    progress = models.FloatField(_("progress"), default=0, editable=False, help_text=_("From 0 to 1."))
    fruitless_attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    cancel_requested = models.BooleanField(default=False, editable=False)
    worker = models.CharField(
        _("worker"), max_length=255, blank=True, editable=False, help_text=_("Who works on it, or did last.")
    )
    error = models.TextField(_("error"), blank=True, editable=False)
    waits_because = models.TextField(
        _("needs a decision because"),
        blank=True,
        editable=False,
        help_text=_("Why a model that is ready was not published automatically."),
    )

    data_fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    counts = models.JSONField(_("counts"), default=dict, editable=False)
    losses = models.JSONField(
        _("losses"),
        default=list,
        editable=False,
        help_text=_("One entry an epoch: mean squared error in training and in validation, and seconds."),
    )
    metrics = models.JSONField(_("metrics"), default=dict, editable=False)
    cluster_curves = models.JSONField(
        _("curves of the number of clusters"),
        default=dict,
        editable=False,
        help_text=_(
            "By number of clusters: inertia and its elbow, silhouette, Davies-Bouldin index, entropy of sizes."
        ),
    )
    has_artifact = models.BooleanField(_("model on disk"), default=False, editable=False)

    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)
    published_at = models.DateTimeField(_("published at"), null=True, editable=False)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("training run")
        permissions = [
            ("train", _("Can launch and cancel trainings")),
            ("publish", _("Can publish and roll back models")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="published"), name="training_run_one_published"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["evaluating", "ready", "published"]) | Q(has_artifact=True),
                name="training_run_published_has_artifact",
            ),
            models.CheckConstraint(condition=Q(progress__range=(0, 1)), name="training_run_progress_0_to_1"),
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(error=""), name="training_run_failure_has_error"),
        ]

    def __str__(self) -> str:
        return self.version

    @property
    def version(self) -> str:
        """What clients log as the model's version."""
        return f"{self.family}-{self.pk}"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def is_disposable(self) -> bool:
        """Whether the run may be deleted with its files. One that still publishes itself is not at its end."""
        return self.state in self.DISPOSABLE and not self.waits_to_publish_itself

    @property
    def epoch(self) -> int:
        """The last finished epoch, 0 before the first."""
        return int(self.losses[-1]["epoch"]) if self.losses else 0

    @property
    def epochs(self) -> int | None:
        """How many epochs the training has; None when its configuration does not say."""
        epochs: int | None = self.config.get("epochs")
        return epochs

    @property
    def seconds_left(self) -> float | None:
        """Until the last epoch ends, by the epochs so far; None when nothing is known of it."""
        if self.phase != self.Phase.TRAINING or not self.losses or not self.epochs:
            return None
        recent: list[float] = [entry["seconds"] for entry in self.losses[-5:]]
        return (self.epochs - self.epoch) * sum(recent) / len(recent)

    @property
    def waits_to_publish_itself(self) -> bool:
        return self.state == self.State.READY and self.publishes_itself

    @property
    def artifact_path(self) -> Path:
        return Path(settings.ARTIFACTS_DIR) / str(self.key)

    @property
    def checkpoint_path(self) -> Path:
        return Path(settings.ARTIFACTS_DIR) / "checkpoints" / str(self.key)


class RunLog(models.Model):
    """One line of what a run's worker logged. `recommender.runs.logs` writes them, and drops the oldest."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="log")
    created_at = models.DateTimeField(_("when"), default=timezone.now)
    level = models.CharField(_("level"), max_length=10)
    message = models.TextField(_("message"))

    class Meta:
        ordering = ["pk"]
        verbose_name = _("line of a run's log")
        verbose_name_plural = _("lines of a run's log")

    def __str__(self) -> str:
        return self.message


class SiteScore(models.Model):
    """What the site's own people give an anime, as of the last `popularity.refresh`."""

    anime = models.OneToOneField("catalog.Anime", primary_key=True, on_delete=models.CASCADE, related_name="site_score")
    ratings = models.PositiveIntegerField(_("ratings"))
    mean = models.FloatField(_("mean"))

    class Meta:
        verbose_name = _("score on this site")
        verbose_name_plural = _("scores on this site")

    def __str__(self) -> str:
        return f"{self.anime_id}: {self.mean:.2f}"


class ServedList(models.Model):
    """One list of recommendations that the API answered with, kept to be joined with what came of it."""

    key = models.UUIDField(_("list id"), default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("user"), null=True, on_delete=models.CASCADE, related_name="+"
    )
    path = models.CharField(_("path"), max_length=20)
    method = models.CharField(_("method"), max_length=30)
    model_version = models.CharField(_("model"), max_length=50, blank=True)
    anime_ids = ArrayField(models.PositiveIntegerField(), verbose_name=_("anime"))
    rival_version = models.CharField(_("compared with"), max_length=50, blank=True)
    #: For each anime 1 where the rival put it on the list, 0 where the model did; empty without a rival.
    teams = ArrayField(models.PositiveSmallIntegerField(), verbose_name=_("teams"), default=list, blank=True)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("served list")
        indexes = [models.Index(fields=["created_at"], name="served_list_created")]
        constraints = [
            models.CheckConstraint(
                condition=Q(teams__len=0) | Q(teams__len=F("anime_ids__len")), name="served_list_team_per_anime"
            ),
        ]

    def __str__(self) -> str:
        return str(self.key)


class ListEvent(models.Model):
    """What a client says became of one anime of a served list."""

    class Kind(models.TextChoices):
        IMPRESSION = "impression", _("Seen")
        CLICK = "click", _("Clicked")
        DISMISSED = "dismissed", _("Dismissed")

    served_list = models.ForeignKey(ServedList, on_delete=models.CASCADE, related_name="events")
    anime_id = models.PositiveIntegerField(_("anime"))
    kind = models.CharField(_("what"), max_length=10, choices=Kind)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("event of a list")
        verbose_name_plural = _("events of lists")
        constraints = [
            models.UniqueConstraint(fields=["served_list", "anime_id", "kind"], name="list_event_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["impression", "click", "dismissed"]), name="list_event_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.anime_id}"
