import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from recsite import checks


@pytest.mark.django_db
def test_the_servers_version_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("check", databases=["default"])
    monkeypatch.setattr(checks, "LEAST_POSTGRESQL", 1_000)
    with pytest.raises(SystemCheckError, match="or unset DATABASE_URL"):
        call_command("check", databases=["default"])
