"""What the site remembers about itself."""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# Audit --------------------------------------------------------------------------------------------------------------


class AppendOnly(TypeError):
    """Somebody tried to change or delete an audit entry."""

    def __init__(self) -> None:
        super().__init__("Audit entries are never changed or deleted.")


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly


class AuditEntry(models.Model):
    """Who did what to what, and when. `common.audit.record` writes it.

    Every value is plain text or a number, and none is a foreign key, so that an entry outlives the account of its
    author and the thing that it is about. A trigger in the database refuses to change or delete a row, whoever asks.
    """

    at = models.DateTimeField(_("time"), db_default=Now(), editable=False)
    actor_id = models.BigIntegerField(_("number of the account"), null=True, editable=False)
    actor_name = models.CharField(_("who"), max_length=150, editable=False)
    action = models.CharField(_("action"), max_length=60, editable=False)
    target_kind = models.CharField(_("kind of target"), max_length=60, blank=True, editable=False)
    target_id = models.CharField(_("number of the target"), max_length=60, blank=True, editable=False)
    target_label = models.CharField(_("target"), max_length=200, blank=True, editable=False)
    details = models.JSONField(_("details"), default=dict, blank=True, editable=False)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        default_permissions = ["view"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_entry_latest"),
            models.Index(fields=["target_kind", "target_id"], name="audit_entry_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.target_label}".rstrip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly


# Idempotency ----------------------------------------------------------------------------------------------------------


class IdempotentAnswer(models.Model):
    """The answer to a call that came with an `Idempotency-Key`, committed together with what the call did.

    `operation`, `key` and `request` are SHA-256 digests: of method and path, of the key, and of the request's data.
    """

    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    operation = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    request = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.TextField(help_text="JSON, as it was sent.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "operation", "key"], name="idempotent_answer_once_per_key")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotent_answer_created")]

    def __str__(self) -> str:
        return f"{self.operation[:8]} {self.key[:8]}: {self.status}"
