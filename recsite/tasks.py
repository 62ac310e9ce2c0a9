"""Celery tasks of the site itself."""

from celery import shared_task
from django.core.management import call_command


@shared_task
def clear_expired() -> None:
    """Delete sessions that have ended; nobody can use them, and each visit makes one."""
    call_command("clearsessions")
