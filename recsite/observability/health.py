"""Is the process alive, and can it serve? For load balancers and supervisors."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from recommender.serving.models.published import published_model

#: How long the checks of one request may take together, in seconds: a store that hangs counts as away.
TIMEOUT_S = 5.0
# A single thread: while a store holds it up, later requests end by their time-out, and no more threads get stuck.
_checker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="readyz")


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """The process answers. Touches no store, so that a database outage does not restart healthy processes."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Which of the stores answer, and whether the tables are those of this code.

    503 when it is the database or the tables that fail, without which there is no site. "cache" and "model" decide
    nothing: without Valkey the site serves what it reads from the database, and without a model what is popular. A
    load balancer that took out every process for these would turn a small outage into a whole one.
    """
    parts: dict[str, bool] = dict.fromkeys(CHECKS, False)
    checks = _checker.submit(_check_all, parts)
    try:
        checks.result(TIMEOUT_S)
    except TimeoutError:
        checks.cancel()
    status = 200 if all(parts[name] for name in DECIDING) else 503
    return JsonResponse(parts, status=status)


def _check_all(parts: dict[str, bool]) -> None:
    """Note each part's state as soon as it is known: those after one that hangs stay false."""
    try:
        for name, check in CHECKS.items():
            parts[name] = _works(check)
    finally:
        connection.close()  # this thread's own


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


#: The cache is first, because its time-out is the shorter one.
CHECKS: dict[str, Callable[[], bool]] = {
    "cache": _cache,
    "database": _database,
    "migrations": _migrations,
    "model": _model,
}
DECIDING = ("database", "migrations")
