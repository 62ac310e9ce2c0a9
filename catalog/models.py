"""The catalogue, the people, and what they say of it.

Two kinds of people rate anime and are never mixed up: a `User` has an account on this site and one `Rating`
row for each anime; a `Member` came with a data set, cannot log in, and is one row that holds a whole history.
"""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken

from catalog.datasets.models import ImportJob  # noqa: F401  where Django looks for models

ADULT_GENRE = "Hentai"
MIN_SCORE, MAX_SCORE = 1, 10
#: In a member's history: watched, and not rated.
UNRATED = -1


class User(AbstractUser):  # type: ignore[django-manager-missing]  # of knox, which is not typed
    """Somebody with an account on this site."""

    email = models.EmailField(_("email address"))
    shows_adult = models.BooleanField(
        _("show adult titles"),
        default=False,
        help_text=_("Adult titles stay out of every list, search and picture until this is on."),
    )

    # Set when the account loses its password altogether, until it is saved.
    _password_was_removed = False

    class Meta(AbstractUser.Meta):
        # An address is unique among verified ones only (allauth's EmailAddress). If it had to be unique before it is
        # verified, the sign-up form would tell everybody which addresses have accounts.
        constraints = [models.UniqueConstraint(Lower("username"), name="user_username_unique_in_any_case")]

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self._password_was_removed = True

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the account and, with a new password, revoke whatever else lets somebody in.

        This covers the site's forms, the admin and the commands alike, because all of them set a password and save.
        Whoever had the old password may have made API tokens, or may have begun to move the account to their own
        address. Sessions end by themselves: Django keeps a hash of the password in each.
        """
        # Django keeps the raw password until the account is saved, but not when it merely renews the hash at a log-in.
        has_new_password = not self._state.adding and (
            getattr(self, "_password", None) is not None or self._password_was_removed
        )
        super().save(*args, **kwargs)
        self._password_was_removed = False
        if has_new_password:
            ApiToken.objects.filter(user=self).delete()
            EmailAddress.objects.filter(user=self, verified=False, primary=False).delete()


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox is not typed
    """What a program shows to act for a user. Only its hash is kept, with its first characters to find it by."""

    class Scope(models.TextChoices):
        """Each may what those before it may."""

        READ = "read", _("Read")
        WRITE = "write", _("Read and write")
        STAFF = "staff", _("Read, write, and what staff may")

    name = models.CharField(_("name"), max_length=60, help_text=_("What it is for, so that you recognise it later."))
    scope = models.CharField(_("scope"), max_length=5, choices=Scope, default=Scope.READ)

    class Meta:
        ordering = ["-created", "digest"]
        verbose_name = _("API token")
        constraints = [
            models.CheckConstraint(condition=Q(scope__in=["read", "write", "staff"]), name="api_token_scope_known"),
            models.CheckConstraint(condition=Q(expiry__isnull=False), name="api_token_expires"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"

    def admits(self, scope: str) -> bool:
        """Whether it may do what needs `scope`."""
        ranks = list(self.Scope.values)
        return ranks.index(self.scope) >= ranks.index(scope)


class Genre(models.Model):
    name = models.CharField(_("name"), max_length=50, unique=True)
    slug = models.SlugField(max_length=50, unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("genre")

    def __str__(self) -> str:
        return self.name


class AnimeType(models.TextChoices):
    TV = "TV", _("TV")
    MOVIE = "Movie", _("Movie")
    OVA = "OVA", _("OVA")
    ONA = "ONA", _("ONA")
    SPECIAL = "Special", _("Special")
    MUSIC = "Music", _("Music")


class AnimeQuerySet(models.QuerySet["Anime"]):
    def visible_to(self, user: object) -> "AnimeQuerySet":
        """Without adult titles, unless `user` is signed in and has asked for them."""
        return self if getattr(user, "shows_adult", False) else self.filter(is_adult=False)

    def version(self) -> str:
        """Changes whenever a row is added, changed or deleted: the key of whatever is derived from the catalogue."""
        row = self.aggregate(rows=models.Count("pk"), last=models.Max("updated_at"))
        return f"{row['rows']}-{row['last'].timestamp() if row['last'] else 0}"

    def with_genres(self) -> "AnimeQuerySet":
        return self.prefetch_related("genres")


class Anime(models.Model):
    mal_id = models.PositiveIntegerField(_("MyAnimeList id"), primary_key=True)
    name = models.CharField(_("name"), max_length=300)
    japanese_name = models.CharField(_("Japanese name"), max_length=300, blank=True)
    type = models.CharField(_("type"), max_length=10, choices=AnimeType, blank=True)
    episodes = models.PositiveIntegerField(_("episodes"), null=True, blank=True)
    score = models.FloatField(_("community score"), null=True, blank=True)
    members = models.PositiveIntegerField(
        _("members"), default=0, help_text=_("Number of people who have it on their list.")
    )
    aired_from = models.DateField(_("aired from"), null=True, blank=True)
    aired_to = models.DateField(_("aired to"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=50, blank=True)
    studios = ArrayField(models.CharField(max_length=100), verbose_name=_("studios"), default=list, blank=True)
    genres = models.ManyToManyField(Genre, verbose_name=_("genres"), related_name="anime", blank=True)
    # Kept beside the genres, and set with them, so that every list can leave adult titles out without a join.
    is_adult = models.BooleanField(_("adult"), default=False)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, db_default=Now())

    objects = AnimeQuerySet.as_manager()

    class Meta:
        ordering = ["-members", "mal_id"]
        verbose_name = _("anime")
        verbose_name_plural = _("anime")
        indexes = [
            models.Index(fields=["-members", "mal_id"], name="anime_members"),
            models.Index(F("score").desc(nulls_last=True), "mal_id", name="anime_score"),
            models.Index(fields=["name"], name="anime_name"),
            models.Index(fields=["updated_at"], name="anime_updated_at"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="anime_has_name"),
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__range=(0, MAX_SCORE)), name="anime_score_0_to_10"
            ),
            models.CheckConstraint(
                condition=Q(episodes__isnull=True) | Q(episodes__gte=1), name="anime_episodes_positive"
            ),
            models.CheckConstraint(condition=Q(type__in=["", *AnimeType.values]), name="anime_type_known"),
            models.CheckConstraint(
                condition=Q(aired_from__isnull=True) | Q(aired_to__isnull=True) | Q(aired_to__gte=F("aired_from")),
                name="anime_aired_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("anime-detail", args=[self.pk])

    @property
    def title(self) -> str:
        """The name in the reader's language: the Japanese one for who reads Japanese, where it is known."""
        return self.japanese_name if self._is_read_in_japanese else self.name

    @property
    def other_title(self) -> str:
        """The name in the other language, or none."""
        return self.name if self._is_read_in_japanese else self.japanese_name

    @property
    def _is_read_in_japanese(self) -> bool:
        return bool(self.japanese_name) and (get_language() or "").startswith("ja")


class Rating(models.Model):
    """What one user gives one anime."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="ratings")
    anime = models.ForeignKey(Anime, on_delete=models.CASCADE, related_name="ratings")
    score = models.PositiveSmallIntegerField(_("score"))
    rated_at = models.DateTimeField(_("rated at"), auto_now=True)

    class Meta:
        ordering = ["-rated_at", "-pk"]
        verbose_name = _("rating")
        constraints = [
            models.UniqueConstraint(fields=["user", "anime"], name="rating_once_per_user_and_anime"),
            models.CheckConstraint(condition=Q(score__range=(MIN_SCORE, MAX_SCORE)), name="rating_score_1_to_10"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.anime} = {self.score}"


class ListStatus(models.TextChoices):
    PLAN_TO_WATCH = "plan_to_watch", _("Plan to watch")
    WATCHING = "watching", _("Watching")
    COMPLETED = "completed", _("Completed")
    DROPPED = "dropped", _("Dropped")
    NOT_INTERESTED = "not_interested", _("Not interested")


class ListEntry(models.Model):
    """Where one anime stands on one user's list."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="list_entries")
    anime = models.ForeignKey(Anime, on_delete=models.CASCADE, related_name="list_entries")
    status = models.CharField(_("status"), max_length=20, choices=ListStatus)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        ordering = ["-updated_at", "-pk"]
        verbose_name = _("list entry")
        verbose_name_plural = _("list entries")
        constraints = [
            models.UniqueConstraint(fields=["user", "anime"], name="list_entry_once_per_user_and_anime"),
            models.CheckConstraint(
                condition=Q(status__in=ListStatus.values),
                name="list_entry_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.anime} {self.get_status_display()}"


class VisitorEntry(models.Model):
    """A score or a list status that a visitor without an account gave one anime; it goes with the visitor's session.

    Rows are written under a lock on the session's row, and the one written last has the highest id.
    """

    session = models.ForeignKey("sessions.Session", on_delete=models.CASCADE, related_name="+")
    anime = models.ForeignKey(Anime, on_delete=models.CASCADE, related_name="+")
    score = models.PositiveSmallIntegerField(_("score"), null=True)
    status = models.CharField(_("status"), max_length=20, choices=ListStatus, blank=True)

    class Meta:
        verbose_name = _("visitor's entry")
        verbose_name_plural = _("visitors' entries")
        constraints = [
            models.UniqueConstraint(
                fields=["session", "anime"], condition=Q(status=""), name="visitor_rating_once_per_session_and_anime"
            ),
            models.UniqueConstraint(
                fields=["session", "anime"], condition=~Q(status=""), name="visitor_status_once_per_session_and_anime"
            ),
            models.CheckConstraint(
                condition=Q(score__range=(MIN_SCORE, MAX_SCORE), status="")
                | Q(score__isnull=True, status__in=ListStatus.values),
                name="visitor_entry_is_score_or_status",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.anime_id}: {self.status or self.score}"


class Dataset(models.Model):
    """A data set that was loaded: a name space for its members' ids, and what the last load of it brought."""

    name = models.SlugField(_("name"), unique=True)
    is_simulated = models.BooleanField(
        _("simulated"), default=False, help_text=_("Its raters were simulated by a program; they are not real people.")
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=64, help_text=_("SHA-256 of the files loaded."))
    loaded_at = models.DateTimeField(_("loaded at"), auto_now=True)
    anime_count = models.PositiveIntegerField(_("anime"), default=0)
    member_count = models.PositiveIntegerField(_("members"), default=0)
    interaction_count = models.PositiveBigIntegerField(_("interactions"), default=0)
    rating_count = models.PositiveBigIntegerField(_("ratings"), default=0)

    class Meta:
        ordering = ["name"]
        verbose_name = _("data set")

    def __str__(self) -> str:
        return f"{self.name} ({_('simulated')})" if self.is_simulated else self.name


class Member(models.Model):
    """A rater who came with a data set: one row for the whole history, and no login.

    Element i of `scores` is what the member gave `anime_ids[i]`: 1-10, or UNRATED. One row of two arrays takes
    about a tenth of the space of one row for each rating, and is read the way it is used: all at once.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="members")
    external_id = models.PositiveIntegerField(_("id in the data set"))
    anime_ids = ArrayField(models.PositiveIntegerField(), verbose_name=_("anime"))
    scores = ArrayField(models.SmallIntegerField(), verbose_name=_("scores"))

    class Meta:
        verbose_name = _("data set member")
        constraints = [
            models.UniqueConstraint(fields=["dataset", "external_id"], name="member_once_per_dataset"),
            models.CheckConstraint(
                condition=Q(scores__contained_by=[UNRATED, *range(MIN_SCORE, MAX_SCORE + 1)]),
                name="member_scores_1_to_10_or_unrated",
            ),
            models.CheckConstraint(
                condition=Q(scores__len=F("anime_ids__len"), anime_ids__len__gte=1),
                name="member_one_score_per_anime",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name} {self.external_id}"


class MemberScores(models.Model):
    """How the members of one data set scored one anime: `counts[i]` of them gave it i + 1."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="scores")
    anime = models.ForeignKey(Anime, on_delete=models.CASCADE, related_name="member_scores")
    counts = ArrayField(models.PositiveIntegerField(), verbose_name=_("counts"), size=MAX_SCORE)

    class Meta:
        verbose_name = verbose_name_plural = _("scores of members")
        constraints = [
            models.UniqueConstraint(fields=["anime", "dataset"], name="member_scores_once_per_anime_and_dataset"),
            models.CheckConstraint(condition=Q(counts__len=MAX_SCORE), name="member_scores_one_count_per_score"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name}: {self.anime}"
