"""Celery tasks of the site itself."""

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from catalog.models import ApiToken


@shared_task
def clear_expired() -> None:
    """Delete sessions and tokens that have ended: nobody can use them, and each visit makes a session."""
    call_command("clearsessions")
    ApiToken.objects.filter(expiry__lt=timezone.now()).delete()
