"""Send errors of the log to Sentry, or a service with its protocol. Off unless SENTRY_DSN is set.

Only what is logged at ERROR or above: its traceback without local variables, and ids. No request,
user, address or query of a link.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

TAGS = ("request_id", "job_id", "kind", "attempt", "phase", "sweep")
QUERY = re.compile(r"\?[^\s'\"]+")
MAIL_ADDRESS = re.compile(r"[^\s@'\"<]+@[^\s@'\">]+\.\w+")


class ErrorReports(logging.Handler):
    """A handler of the root logger."""

    def __init__(self, dsn: str, role: str) -> None:
        super().__init__(logging.ERROR)
        import sentry_sdk  # an extra: see docs/logs.md

        self._sentry = sentry_sdk
        sentry_sdk.init(
            dsn,
            # Its integrations send requests, queries and addresses.
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            send_default_pii=False,
            max_breadcrumbs=0,
            server_name=role,
            before_send=_without_personal_data,
        )

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("django.security."):
            return  # an invalid request, which Django has refused
        try:
            self._send(record)
        except Exception:
            self.handleError(record)

    def _send(self, record: logging.LogRecord) -> None:
        own = record.msg if isinstance(record.msg, dict) else {}  # structlog's fields
        fields = structlog.contextvars.get_contextvars() | own
        trace = own.get("exc_info") or record.exc_info
        with self._sentry.new_scope() as scope:
            scope.set_tag("logger", record.name)
            for name in TAGS:
                if name in fields:
                    scope.set_tag(name, str(fields[name]))
            text = str(own.get("event") or record.getMessage())
            if trace:
                scope.set_tag("event", text[:200])
                scope.capture_exception(sys.exc_info() if trace is True else trace)
            else:
                scope.capture_message(text, "fatal" if record.levelname == "CRITICAL" else "error")


def _without_personal_data(event: Any, _hint: Any) -> Any:
    """Remove queries of links and e-mail addresses from the texts of errors."""
    for error in event.get("exception", {}).get("values", []):
        error["value"] = _clean(str(error.get("value") or ""))
    if "message" in event:
        event["message"] = _clean(event["message"])
    return event


def _clean(text: str) -> str:
    return MAIL_ADDRESS.sub("[e-mail]", QUERY.sub("?[query]", text))
