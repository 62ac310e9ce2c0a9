"""What the site logs and how: lines to read on a machine of one's own, JSON objects in production."""

import logging
import re
from typing import Any

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware

#: What is in such addresses lets its holder into an account.
_SECRET = re.compile(r"(/accounts/(?:password/reset/key|confirm-email)/)[^/]+")
#: The query of an address, in the middle of a message.
_QUERY = re.compile(r"(/[^\s?\"'<>]*)\?[^\s\"'<>]*")

#: What each record gets: the request, task and run that it belongs to, its level, logger and time.
_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class RequestLog(RequestMiddleware):
    """Gives each request an id that all of its records carry, and logs its end without what must stay secret."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        """Method and path: a query may hold what a person typed."""
        return f"{request.method} {without_secrets(request.path)}"


def without_secrets(path: str) -> str:
    """An address's path as it may be written down."""
    return _SECRET.sub(r"\1…", path)


class WithoutAddresses(logging.Filter):
    """Takes queries and secrets out of the addresses that records of other packages name."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, dict):  # structlog's
            record.msg = {key: cleaned(value) if isinstance(value, str) else value for key, value in record.msg.items()}
        else:
            record.msg, record.args = cleaned(record.getMessage()), ()
        return True


def cleaned(message: str) -> str:
    """A message as it may be written down: without what a person sent in an address, and without their own."""
    return _QUERY.sub(r"\1?…", without_secrets(message))


def without_addresses(event: Any, hint: dict[str, Any]) -> Any:
    """What is reported to Sentry, without the queries and the secrets of addresses."""
    request = event.get("request") or {}
    request.pop("query_string", None)
    for part, names in ((request, ("url",)), (event.get("logentry") or {}, ("message", "formatted"))):
        for name in names:
            if isinstance(part.get(name), str):
                part[name] = cleaned(part[name])
    if event.get("logentry"):
        event["logentry"].pop("params", None)
    for crumb in (event.get("breadcrumbs") or {}).get("values", ()):
        crumb["message"] = cleaned(str(crumb.get("message") or ""))
        crumb.pop("data", None)
    return event


def configuration(*, as_json: bool, level: str, traced: bool = False) -> dict[str, Any]:
    """Django's `LOGGING`; also sets structlog up, whose records go the same way.

    Where requests and tasks are traced, a record names the trace that it belongs to.
    """
    shared = [*_SHARED, _name_trace] if traced else _SHARED
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    json_formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
            "json": json_formatter,
        },
        "filters": {"without addresses": {"()": WithoutAddresses}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": "json" if as_json else "line",
                "filters": ["without addresses"],
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django.server": {"level": "INFO"},
            "django": {"handlers": [], "propagate": True},
            # Its notes name addresses, and it warns whenever a request waits for a thread.
            "waitress": {"level": "WARNING"},
            "waitress.queue": {"level": "ERROR"},
            # Every request and task twice is for machines to read.
            "django_structlog": {"level": logging.INFO if as_json else logging.ERROR},
        },
    }


def _name_trace(logger: Any, method: str, record: structlog.typing.EventDict) -> structlog.typing.EventDict:
    from opentelemetry import trace  # only where it is used

    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        record["trace_id"] = trace.format_trace_id(context.trace_id)
    return record
