"""Is the process alive, and can it serve? For load balancers and supervisors."""

from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from recommender.published import published_model


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """The process answers. Touches no store, so that a database outage does not restart healthy processes."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """The stores answer and the tables are those of this code; 503 with the failing part's name otherwise.

    "model" says whether this process serves the published model. It decides nothing: without one the site serves what
    is popular, which is better than no site.
    """
    parts = {name: _works(check) for name, check in CHECKS.items()}
    status = 200 if all(parts.values()) else 503
    return JsonResponse({**parts, "model": _works(_model)}, status=status)


def _works(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # whatever a store raises, the answer is that it does not work
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _cache() -> bool:
    cache.set("readyz", "1", timeout=10)
    return bool(cache.get("readyz") == "1")


def _migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _model() -> bool:
    return published_model() is not None


CHECKS: dict[str, Callable[[], bool]] = {"database": _database, "cache": _cache, "migrations": _migrations}
