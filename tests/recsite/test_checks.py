import os
import secrets
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from recsite import checks
from recsite.local import embedded


@pytest.mark.django_db
def test_the_servers_version_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("check", databases=["default"])
    monkeypatch.setattr(checks, "LEAST_POSTGRESQL", 1_000)
    with pytest.raises(SystemCheckError, match="or unset DATABASE_URL"):
        call_command("check", databases=["default"])


def check_deployment(**variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        # The browser tests set it in their process, and no deployment may.
        **{name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"},
        "INSECURE_HTTP": "0",
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "DATABASE_URL": "postgres://site@db.example.org/site",
        "REDIS_URL": "redis://cache.example.org",
        **variables,
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, env=environment, cwd=embedded.BASE_DIR, capture_output=True, text=True)


@pytest.mark.process
@pytest.mark.parametrize("printed", ["", "consolemail://"])
def test_a_site_on_the_internet_prints_no_mail(printed: str) -> None:
    done = check_deployment(**({"EMAIL_URL": printed} if printed else {}))
    assert done.returncode != 0
    assert "Set it to your mail server" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_a_site_that_sends_mail_or_none_is_ready_to_deploy() -> None:
    for url in ("smtp+tls://site:secret@mail.example.org:587", "dummymail://"):
        done = check_deployment(EMAIL_URL=url)
        assert done.returncode == 0, done.stderr
