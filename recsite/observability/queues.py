"""How many tasks wait in each queue."""

import redis

from common import valkey

QUEUES = ("training", "evaluation", "judging", "default")


def lengths() -> dict[str, int] | None:
    """Messages that no worker has taken yet, by queue; None when Valkey does not answer."""
    try:
        with valkey.asking():
            return {name: int(valkey.client().llen(name)) for name in QUEUES}
    except redis.RedisError:
        return None
