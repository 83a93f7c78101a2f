"""Logging with `structlog`, also for loggers of the standard library."""

from __future__ import annotations

import logging.config
import sys
import threading
from types import TracebackType
from typing import Any

import structlog

from jobs.lib.environment import Environment
from jobs.lib.log_lines import LineFormat
from jobs.lib.tracing.configuration import is_tracing_on

LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
DEBUG: dict[str, Any] = {"level": "DEBUG"}
LOGGERS: dict[str, dict[str, Any]] = {
    # Without the handlers that Django and gunicorn add: each line would appear twice.
    "django": {"level": "NOTSET"},
    "django.server": {"level": "NOTSET", "propagate": True},
    "gunicorn.error": {"level": "NOTSET", "propagate": True},
    # Requests are in the access log.
    "django.request": {"level": "ERROR"},
    # A job has lines of its own.
    "celery.worker.strategy": {"level": "WARNING"},
    "celery.app.trace": {"level": "WARNING"},
    "botocore": {"level": "WARNING"},
    "opentelemetry.exporter": {"level": "ERROR"},  # each try is a warning, a lost batch an error
    "urllib3": {"level": "ERROR"},  # its warnings name whole links, secrets included
}
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


def log_options(env: Environment, *packages: str) -> dict[str, Any]:
    """Return what the environment says about logs: settings.LOGGING.

    `packages`, jobs and the packages in APPS have debug lines at LOG_LEVEL=DEBUG.
    """
    apps = [path.partition(".")[0] for path in env.list("APPS", default=[])]
    return {
        "json": env.flag("LOG_JSON", env.flag("PRODUCTION")),
        "level": env.choice("LOG_LEVEL", LEVELS, "INFO"),
        "packages": ["jobs", *packages, *apps],
        "tracing": is_tracing_on(env),
        "sentry": {"dsn": env.str("SENTRY_DSN", default=""), "role": env.str("ROLE", default="")},
    }


def configure_logs(options: dict[str, Any]) -> None:
    """Called by Django (LOGGING_CONFIG), Celery and gunicorn with settings.LOGGING."""
    level, debug = options["level"], options["level"] == "DEBUG"
    LineFormat.is_json = options["json"]
    LineFormat.has_info = level in ("DEBUG", "INFO")
    shared = [*SHARED, *_trace_processors(options)]
    render: list[Any] = (
        [structlog.processors.ExceptionRenderer(JSON_TRACES), structlog.processors.JSONRenderer()]
        if options["json"]
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=CONSOLE_TRACES)]
    )
    handlers: dict[str, Any] = {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "lines",
            "filters": ["without_trace"],
        }
    }
    if options["sentry"]["dsn"]:
        handlers["sentry"] = {"()": "jobs.lib.error_reports.ErrorReports", **options["sentry"]}
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [remove_meta, *render],
                    "foreign_pre_chain": shared,
                }
            },
            "filters": {"without_trace": {"()": WithoutTrace}},
            "handlers": handlers,
            # The debug lines of libraries are too many to read, and include secrets.
            "root": {"handlers": list(handlers), "level": "INFO" if debug else level},
            "loggers": LOGGERS | (dict.fromkeys(options["packages"], DEBUG) if debug else {}),
        }
    )
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,  # first: a line that is dropped costs nothing more
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _trace_processors(options: dict[str, Any]) -> list[Any]:
    """Return what adds the ids of the trace to each line, if TRACING is true."""
    if not options.get("tracing"):
        return []
    from jobs.lib.tracing.log_fields import add_trace_fields, trace_fields

    LineFormat.more_fields = trace_fields
    return [add_trace_fields]


def log_uncaught_errors() -> None:
    """Log errors that end the process or a thread, instead of printing them."""
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        structlog.get_logger(__name__).critical("uncaught error", exc_info=(kind, error, trace))
