"""gunicorn's own lines, in the format of all others."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from jobs.lib.environment import Environment
from jobs.lib.logs import configure_logs, log_options, log_uncaught_errors


class GunicornLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Sends gunicorn's lines to the root logger. Its main process never loads Django's settings."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        # This removes the handlers that gunicorn adds.
        configure_logs(log_options(Environment(), "downloads_project"))
        log_uncaught_errors()
