"""Experiments that ask a language model what it thinks of lists, what it answered, and what people say of that."""

import uuid
from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Anime, User
from recommender.models import TrainingRun

MIN_SCORE, MAX_SCORE = 1, 10
_SCORE = [MinValueValidator(MIN_SCORE), MaxValueValidator(MAX_SCORE)]


class Experiment(models.Model):
    """Lists of several contestants for the same people, each list judged `repeats` times.

    What is spent is counted here, in one row, so that no two workers spend the same token: see `judging.budget`.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PREPARING = "preparing", _("Preparing")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    class People(models.TextChoices):
        HELD_OUT = "held_out", _("Whom no training has seen")
        ACCOUNTS = "accounts", _("Accounts of this site")

    class Shown(models.TextChoices):
        TOP_RATED = "top_rated", _("The best rated")
        RANDOM = "random", _("A random choice")
        BOTH = "both", _("Half and half")

    name = models.CharField(_("name"), max_length=120, unique=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    runs = models.ManyToManyField(
        TrainingRun,
        verbose_name=_("models"),
        blank=True,
        related_name="experiments",
        help_text=_("Whose lists are judged, as the site would serve them."),
    )
    with_popularity = models.BooleanField(_("control: popularity"), default=True)
    with_random = models.BooleanField(
        _("control: random"), default=True, help_text=_("Shows whether the judge can tell good from random at all.")
    )
    people = models.CharField(_("people"), max_length=8, choices=People, default=People.HELD_OUT)
    n_users = models.PositiveIntegerField(
        _("number of people"), default=50, validators=[MinValueValidator(1), MaxValueValidator(5000)]
    )
    list_length = models.PositiveSmallIntegerField(
        _("list length"), default=10, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    n_watched = models.PositiveSmallIntegerField(
        _("watched anime shown"), default=10, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    watched_choice = models.CharField(_("which of them"), max_length=9, choices=Shown, default=Shown.TOP_RATED)
    repeats = models.PositiveSmallIntegerField(
        _("repeats"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(10)],
        help_text=_("More than one shows how far the judge agrees with itself."),
    )
    pairwise = models.BooleanField(
        _("compare in pairs as well"), default=False, help_text=_("Every two contestants, in both orders.")
    )
    seed = models.PositiveIntegerField(_("seed"), default=0)
    judge_model = models.CharField(
        _("judge"), max_length=200, blank=True, help_text=_("Empty: the model that the server is configured with.")
    )
    prompt_version = models.CharField(_("prompt version"), max_length=20, editable=False)
    language = models.CharField(
        _("language"), max_length=2, choices=[("en", "English"), ("ja", "日本語")], default="en"
    )

    in_batches = models.BooleanField(
        _("in batches"),
        default=False,
        help_text=_("By the Batch API of OpenAI and alike: at half the price there, and answered within a day."),
    )

    reviewers_per_item = models.PositiveSmallIntegerField(
        _("reviewers"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text=_("People who review each anime. More than one shows how far people agree among themselves."),
    )
    token_budget = models.PositiveBigIntegerField(_("most tokens"), default=1_000_000)
    money_budget = models.DecimalField(
        _("most money"), max_digits=12, decimal_places=4, default=Decimal(10), validators=[MinValueValidator(0)]
    )
    tokens_reserved = models.PositiveBigIntegerField(default=0, editable=False)
    money_reserved = models.DecimalField(max_digits=14, decimal_places=6, default=Decimal(0), editable=False)
    tokens_spent = models.PositiveBigIntegerField(_("tokens spent"), default=0, editable=False)
    money_spent = models.DecimalField(
        _("money spent"), max_digits=14, decimal_places=6, default=Decimal(0), editable=False
    )

    state = models.CharField(_("state"), max_length=9, choices=State, default=State.DRAFT, editable=False)
    error = models.TextField(
        _("error"), blank=True, editable=False, help_text=_("Why it could not be prepared, and is a draft again.")
    )
    started_at = models.DateTimeField(_("started at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)

    class Meta:
        verbose_name = _("experiment")
        verbose_name_plural = _("experiments")
        ordering = ["-created_at", "-pk"]
        permissions = [("run_experiment", _("Can launch and cancel experiments"))]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state__in=["done", "cancelled"]) | Q(finished_at__isnull=False),
                name="experiment_end_has_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.state in (self.State.PREPARING, self.State.RUNNING)


class Contestant(models.Model):
    """Who makes lists in an experiment: a trained run, or a control."""

    class Kind(models.TextChoices):
        RUN = "run", _("Model")
        POPULARITY = "popularity", _("Popularity")
        RANDOM = "random", _("Random")

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="contestants")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    run = models.ForeignKey(TrainingRun, null=True, on_delete=models.SET_NULL, related_name="+")
    label = models.CharField(_("label"), max_length=120)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "label"], name="contestant_label_once"),
            models.CheckConstraint(condition=Q(kind="run") | Q(run__isnull=True), name="contestant_control_has_no_run"),
        ]

    def __str__(self) -> str:
        return self.label


class Subject(models.Model):
    """Somebody for whom lists are made: a member of the data set, or an account, and what is shown of them.

    Attributes:
        history: `[[anime id, rating], ...]`, what the lists are made from.
        watched: the anime ids of it that the judge sees, in the order shown.
        held_out: anime ids that the person rated besides, which no contestant sees.
        stratum: how many ratings there are, as a range: "1-5", "6-20", "21-100", "101+".
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="subjects")
    account = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    member_id = models.BigIntegerField(null=True)
    stratum = models.CharField(_("ratings"), max_length=10)
    history = models.JSONField()
    watched = models.JSONField()
    held_out = models.JSONField(default=list)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "account"], name="subject_account_once"),
            models.UniqueConstraint(fields=["experiment", "member_id"], name="subject_member_once"),
            models.CheckConstraint(
                condition=Q(account__isnull=True, member_id__isnull=False)
                | Q(account__isnull=False, member_id__isnull=True),
                name="subject_is_one_person",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Batch(models.Model):
    """Requests that were handed to the judge's server together, to be answered within a day.

    Attributes:
        key: what the server was told to know it by; finds it where its answer to that was lost.
        remote_id: the server's name for it; empty while it is not known.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="batches")
    key = models.UUIDField(default=uuid.uuid4, unique=True)
    remote_id = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment"], condition=Q(ended_at__isnull=True), name="batch_one_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return str(self.key)


class Judgement(models.Model):
    """One list put before the judge, or two side by side, and what it said.

    Attributes:
        recommended: anime ids in the order of the list; of a pair `[ids of A, ids of B]`.
        shown: the order in which the judge saw them.
        same_franchise: those of them that are of a franchise of which the person has rated something.
        metrics: of the list against what the person rated besides, such as {"ndcg@10": 0.4}.
        reason: why there is no score, when there is none.
        tokens_reserved, money_reserved: what the request that is made now may take, part of the experiment's.
        due_at: when it is sent again, unless a worker holds it: its message is taken for lost.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        SCORED = "scored", _("Scored")
        UNSCORED = "unscored", _("Unscored")
        CANCELLED = "cancelled", _("Cancelled")

    class Preferred(models.TextChoices):
        FIRST = "first", _("The first")
        SECOND = "second", _("The second")
        TIE = "tie", _("Neither")

    #: Those that are still to be answered.
    ACTIVE = (State.QUEUED, State.RUNNING)

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="judgements")
    subject = models.ForeignKey(Subject, on_delete=models.CASCADE, related_name="judgements")
    contestant = models.ForeignKey(Contestant, on_delete=models.CASCADE, related_name="judgements")
    against = models.ForeignKey(Contestant, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    repeat = models.PositiveSmallIntegerField(default=0)

    recommended = models.JSONField()
    shown = models.JSONField(default=list)
    same_franchise = models.JSONField(default=list)
    metrics = models.JSONField(default=dict)

    state = models.CharField(_("state"), max_length=9, choices=State, default=State.QUEUED)
    reason = models.TextField(_("reason"), blank=True)
    overall = models.PositiveSmallIntegerField(_("overall score"), null=True, validators=_SCORE)
    preferred = models.CharField(_("preferred"), max_length=6, choices=Preferred, blank=True)
    summary = models.TextField(_("summary"), blank=True)

    model = models.CharField(_("judge"), max_length=200, blank=True)
    prompt_version = models.CharField(_("prompt version"), max_length=20)
    request_hash = models.CharField(max_length=64, blank=True, db_index=True)
    answered_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    messages = models.JSONField(default=list)
    raw_answer = models.TextField(_("raw answer"), blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    tokens_in = models.PositiveIntegerField(_("tokens in"), default=0)
    tokens_out = models.PositiveIntegerField(_("tokens out"), default=0)
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=6, default=Decimal(0))
    latency_s = models.FloatField(_("latency, s"), null=True)
    tokens_reserved = models.PositiveIntegerField(default=0, editable=False)
    money_reserved = models.DecimalField(max_digits=14, decimal_places=6, default=Decimal(0), editable=False)
    due_at = models.DateTimeField(null=True, editable=False)
    batch = models.ForeignKey(Batch, null=True, editable=False, on_delete=models.SET_NULL, related_name="judgements")
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("judgement")
        verbose_name_plural = _("judgements")
        ordering = ["pk"]
        indexes = [models.Index(fields=["experiment", "state"])]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment", "subject", "contestant", "against", "prompt_version", "repeat"],
                nulls_distinct=False,
                name="judgement_once",
            ),
            models.CheckConstraint(
                condition=Q(overall__isnull=True) | Q(overall__gte=MIN_SCORE, overall__lte=MAX_SCORE),
                name="judgement_overall_in_range",
            ),
            models.CheckConstraint(
                condition=~Q(state="scored") | Q(overall__isnull=False) | ~Q(preferred=""),
                name="judgement_scored_has_score",
            ),
            models.CheckConstraint(
                condition=Q(state="scored") | Q(overall__isnull=True, preferred=""), name="judgement_unscored_has_none"
            ),
            models.CheckConstraint(
                condition=~Q(state="unscored") | ~Q(reason=""), name="judgement_unscored_has_reason"
            ),
        ]

    def __str__(self) -> str:
        of_two = f" / {self.against}" if self.against_id else ""
        return f"{self.contestant}{of_two} / {self.subject}"


class ItemScore(models.Model):
    """What the judge said of one anime of a list."""

    judgement = models.ForeignKey(Judgement, on_delete=models.CASCADE, related_name="items")
    anime = models.ForeignKey(Anime, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(_("place in the list"))
    score = models.PositiveSmallIntegerField(_("score"), validators=_SCORE)
    explanation = models.TextField(_("explanation"))
    same_franchise = models.BooleanField(_("of a watched franchise"), default=False)

    class Meta:
        ordering = ["judgement", "position"]
        constraints = [
            models.UniqueConstraint(fields=["judgement", "anime"], name="itemscore_anime_once"),
            models.CheckConstraint(condition=Q(score__gte=MIN_SCORE, score__lte=MAX_SCORE), name="itemscore_in_range"),
        ]

    def __str__(self) -> str:
        return f"{self.anime_id}: {self.score}"


class Review(models.Model):
    """What a person says of one anime that was recommended: an own score first, blind to the judge's, then of that."""

    class State(models.TextChoices):
        ASSIGNED = "assigned", _("Assigned")
        RATED = "rated", _("Rated")
        DONE = "done", _("Done")
        SKIPPED = "skipped", _("Skipped")

    item = models.ForeignKey(ItemScore, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reviews")
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.ASSIGNED)
    score = models.PositiveSmallIntegerField(_("own score"), null=True, blank=True, validators=_SCORE)
    agrees = models.BooleanField(_("agrees with the judge"), null=True, blank=True)
    comment = models.TextField(_("comment"), blank=True, max_length=2000)
    assigned_at = models.DateTimeField(_("assigned at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["item", "reviewer"], name="review_once"),
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__gte=MIN_SCORE, score__lte=MAX_SCORE),
                name="review_score_in_range",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["rated", "done"]) | Q(score__isnull=False), name="review_rated_has_score"
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(agrees__isnull=False, finished_at__isnull=False),
                name="review_done_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.item}"
