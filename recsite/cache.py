"""The cache in Valkey, which counts how often it had what it was asked for."""

from typing import Any

from django.core.cache.backends.redis import RedisCache
from prometheus_client import Counter

LOOKUPS = Counter("recsite_cache_lookups_total", "Lookups in the cache in Valkey.", ["result"])
_NOTHING = object()


class CountingCache(RedisCache):
    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        found = super().get(key, _NOTHING, version)
        LOOKUPS.labels("miss" if found is _NOTHING else "hit").inc()
        return default if found is _NOTHING else found
