"""What a process checks before it starts. The checks are in jobs/operations/checks/ and in kinds.

Management commands ask for contradictions by themselves. gunicorn asks nothing, and Celery asks
and throws the answer away.
"""

from __future__ import annotations

import structlog
from django.core.checks import CheckMessage, Tags, run_checks

SANDBOX = "sandbox"  # the tag of its checks

log = structlog.get_logger(__name__)


def preflight_contradictions() -> list[str]:
    """Return why this process must not start; empty if the settings are consistent."""
    found = [each for each in run_checks() if each.is_serious() and not each.is_silenced()]
    return sorted(f"{each.id}: {each.msg} {each.hint or ''}".strip() for each in found)


def log_preflight_warnings() -> None:
    """Log what is not serious enough to stop the process."""
    _log([each for each in run_checks() if not each.is_serious()])


def log_preflight_servers() -> None:
    """Check the servers, within about 3 s, and log problems. Never stops the process."""
    _log(run_checks(tags=[Tags.database], databases=["default"]))


def log_preflight_layers() -> None:
    """Log the sandbox layers that are missing and optional. Others stop the start."""
    _log(run_checks(tags=[SANDBOX]))


def _log(found: list[CheckMessage]) -> None:
    for each in found:
        if not each.is_silenced():
            log.warning(each.msg, check=each.id, hint=each.hint)
