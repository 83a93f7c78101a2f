"""Logs of the tests' processes."""

from __future__ import annotations

import structlog.dev


def keep_tracebacks_plain() -> None:
    """Log tracebacks as Python prints them. Call it before logging is configured.

    structlog's usual ones show the variables of each frame, which takes half a second.
    """
    structlog.dev.default_monochrome_exception_formatter = structlog.dev.plain_traceback
