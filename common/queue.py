"""Tasks that are sent to workers while Valkey, which holds the queues, may be away."""

import logging
from collections.abc import Callable

import redis

from common import valkey

logger = logging.getLogger(__name__)


def send(what: str, publish: Callable[[], object]) -> bool:
    """Put a task into its queue by `publish`; whether that worked.

    Only for what a row in the database asks for and a periodic task sends again while no worker holds it: then a
    message that cannot be sent is no loss, only late. `what` names it in the log.
    """
    try:
        with valkey.asking():
            publish()
    except valkey.NO_ANSWER as error:
        logger.warning("%s is sent when Valkey is back: %s", what, error)
        return False
    except redis.ResponseError as error:
        if not valkey.refuses_to_write(error):
            raise
        logger.error("%s is sent when Valkey takes it: %s", what, error)
        return False
    return True
