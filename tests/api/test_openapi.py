"""The committed contract is the API's, and the API keeps it whatever it is sent."""

from pathlib import Path

import pytest
import schemathesis
from django.core.management import call_command
from django.utils import timezone
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from catalog.accounts.tokens import make_token
from catalog.datasets.models import ImportJob
from evaluation.models import Evaluation
from recommender.models import TrainingRun
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


CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
schema = schemathesis.openapi.from_path(CONTRACT)
schema.app = application


@pytest.fixture(params=["anonymous", "authenticated"])
def caller(request: pytest.FixtureRequest, transactional_db: None) -> dict[str, str]:
    """The headers of nobody, or of somebody who may everything; and some rows to meet."""
    user = factories.staff(username="fuzz")
    anime = factories.anime("Fuzz", mal_id=1)
    for one in (anime, *factories.odd_anime()):
        factories.rating(user, one)
        factories.list_entry(user, one)
    run = TrainingRun.objects.create(family="paper")
    ImportJob.objects.create(source="demo", name="demo", state="done", finished_at=timezone.now(), report={"anime": 1})
    Evaluation.objects.create(run=run, seed=5)
    if request.param == "anonymous":
        return {}
    experiment = answers.small(n_people=1)
    first, second, _random = experiment.contestants.all()
    answers.preferred(first, second, experiment.subjects.get(), "first")
    _, text = make_token(user=user, name="fuzz", scope="staff", days=1)
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.django_db(transaction=True)
def test_the_catalogue_keeps_the_contract_where_little_is_known(artifacts_dir: Path) -> None:
    rows = factories.odd_anime()
    factories.published_history_model({row.pk: [1.0, place / 5] for place, row in enumerate(rows)})
    for path, query in (
        ("/api/v1/anime/", {}),
        ("/api/v1/recommendations/", {}),
        ("/api/v1/genres/", {}),
        *(("/api/v1/anime/{id}/", {"id": row.pk}) for row in rows if not row.is_adult),
        *(("/api/v1/anime/{id}/similar/", {"id": row.pk}) for row in rows if not row.is_adult),
    ):
        case = schema[path]["GET"].Case(path_parameters=query)
        answer = case.call(headers={"Accept-Encoding": "identity"})
        assert answer.status_code == 200
        case.validate_response(answer, checks=CHECKS)


@schema.parametrize()
@settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_nothing_that_fits_or_breaks_the_schema_breaks_the_api(case: schemathesis.Case, caller: dict[str, str]) -> None:
    # The harness's WSGI transport does not unpack gzip.
    response = case.call(headers={**caller, "Accept-Encoding": "identity"})
    case.validate_response(response, checks=CHECKS)
