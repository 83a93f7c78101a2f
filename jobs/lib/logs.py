"""Logging with `structlog`, also for loggers of the standard library."""

from __future__ import annotations

import logging.config
from typing import Any

import structlog

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,  # request_id, job_id, attempt
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
# Tracebacks without local variables: they include links, passwords and secrets of webhooks.
JSON_TRACES = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
CONSOLE_TRACES = structlog.dev.plain_traceback


class WithoutTrace(logging.Filter):
    """Drop the traceback of an invalid request: Django has refused it and logs the reason."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = None
        return True


def configure_logs(options: dict[str, Any]) -> None:
    """Called by Django (LOGGING_CONFIG) and by Celery with settings.LOGGING."""
    render: list[Any] = (
        [structlog.processors.ExceptionRenderer(JSON_TRACES), structlog.processors.JSONRenderer()]
        if options["json"]
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=CONSOLE_TRACES)]
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [remove_meta, *render],
                    "foreign_pre_chain": SHARED,
                }
            },
            "filters": {"without_trace": {"()": WithoutTrace}},
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "lines",
                    "filters": ["without_trace"],
                }
            },
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                # Requests are in the access log.
                "django.request": {"level": "ERROR"},
                "botocore": {"level": "WARNING"},
                "urllib3": {"level": "ERROR"},  # its warnings name whole links, secrets included
            },
        }
    )
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
