"""The committed contract is the API's, and the API keeps it whatever it is sent."""

from pathlib import Path

import pytest
import schemathesis
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from catalog.models import User
from recsite.wsgi import application
from tests import factories
from tests.evaluation.judging import answers

CONTRACT = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi.yaml"


def test_the_contract_in_docs_is_what_the_code_describes(tmp_path: Path) -> None:
    current = tmp_path / "openapi.yaml"
    call_command("spectacular", "--api-version", "v1", "--validate", "--fail-on-warn", "--file", str(current))
    assert CONTRACT.read_text() == current.read_text(), (
        "the API changed: run manage.py spectacular --api-version v1 --file docs/openapi.yaml"
    )


schema = schemathesis.openapi.from_path(CONTRACT)
schema.app = application


def signed_in(user: User) -> dict[str, str]:
    """Cookies, of which one is the CSRF token."""
    client = Client()
    client.force_login(user)
    client.get("/")
    return {name: morsel.value for name, morsel in client.cookies.items()}


@pytest.fixture
def session(transactional_db: None) -> dict[str, str]:
    """The cookies of a user, with an anime to find."""
    user = factories.user("fuzz")
    anime = factories.anime("Fuzz", mal_id=1)
    factories.rating(user, anime)
    return signed_in(user)


@pytest.fixture
def staff_session(transactional_db: None) -> dict[str, str]:
    """The cookies of staff who may everything, with an experiment of lists and of a pair."""
    experiment = answers.small(n_people=1)
    first, second, _random = experiment.contestants.all()
    answers.preferred(first, second, experiment.subjects.get(), "first")
    return signed_in(factories.staff(username="fuzz"))


@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_nothing_that_fits_or_breaks_the_schema_breaks_the_api(
    case: schemathesis.Case, session: dict[str, str]
) -> None:
    # The harness's WSGI transport does not unpack gzip.
    headers = {"X-CSRFToken": session.get("csrftoken", ""), "Accept-Encoding": "identity"}
    response = case.call(cookies=session, headers=headers)
    case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])


@schema.include(path_regex="/staff/(experiments|judgements|reviews)/").parametrize()
@settings(max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_nothing_that_staff_send_breaks_what_they_read(case: schemathesis.Case, staff_session: dict[str, str]) -> None:
    headers = {"X-CSRFToken": staff_session["csrftoken"], "Accept-Encoding": "identity"}
    response = case.call(cookies=staff_session, headers=headers)
    case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])
