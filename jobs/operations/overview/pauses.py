"""What is paused, as sentences: since when, by whom, why, and what waits for its end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from jobs.engine.limit_states import LimitState
from jobs.kinds.registry import KINDS
from jobs.models import QueueLimit
from jobs.operations.overview.texts import moment_text


def pause_texts(states: Iterable[LimitState], now: datetime) -> list[str]:
    """Return 'Report is paused since 22:05:12 by olga: Moving. 2 jobs of 1 owner wait.'"""
    return [_text(state, now) for state in states if state.limit.is_paused]


def _text(state: LimitState, now: datetime) -> str:
    limit = state.limit
    since = moment_text(limit.changed_at, now)
    reason = f": {limit.reason.rstrip('.')}" if limit.reason else ""
    paused = f"{_part(limit)} is paused since {since} by {limit.changed_by_text}{reason}."
    return f"{paused} {_waiting(state)}"


def _part(limit: QueueLimit) -> str:
    if limit.scope == QueueLimit.Scope.KIND and limit.name in KINDS:
        return KINDS[limit.name].label
    return str(limit)


def _waiting(state: LimitState) -> str:
    if not state.waiting:
        return "No job waits."
    jobs = "1 job" if state.waiting == 1 else f"{state.waiting:,} jobs"
    owners = "1 owner" if state.owners == 1 else f"{state.owners:,} owners"
    return f"{jobs} of {owners} {'waits' if state.waiting == 1 else 'wait'}."
