"""How many tasks wait in each queue."""

from functools import lru_cache

import redis
from django.conf import settings

QUEUES = ("training", "evaluation", "judging", "default")


def lengths() -> dict[str, int] | None:
    """Messages that no worker has taken yet, by queue; None when Valkey does not answer."""
    try:
        return {name: int(_client().llen(name)) for name in QUEUES}
    except redis.RedisError:
        return None


@lru_cache(maxsize=1)
def _client() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
