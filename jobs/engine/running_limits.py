"""Why a ready job may not start now: a pause, or a limit that is reached.

It follows jobs_blocked_1 in migration 0027, without a query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jobs.engine.queue_rows import LimitRow, RunningRow
from jobs.models import QueueLimit

Scope = QueueLimit.Scope
Part = tuple[str, str | int]  # a scope, and the owner, the kind or the key


class StartBlock(NamedTuple):
    """What keeps a job from starting: a pause with its reason, or a limit on what is running."""

    is_paused: bool
    scope: str
    reason: str = ""
    max_running: int = 0


class RunningLimits:
    """The limits and pauses, and how many jobs are running of what they limit."""

    def __init__(
        self,
        limits: Iterable[LimitRow],
        running: Iterable[RunningRow],
        kind_limits: Mapping[str, int | None],
    ) -> None:
        self._running: Counter[Part] = Counter()
        for job in running:
            self._running.update(_parts(job.owner_id, job.kind, job.concurrency_key))
        self._limits = {_part(limit): limit for limit in limits}
        self._kind_limits = kind_limits
        self._is_anything_limited = bool(self._limits) or any(kind_limits.values())

    def block(self, *, owner_id: int, kind: str, concurrency_key: str) -> StartBlock | None:
        """Return what keeps the owner's jobs of the kind from starting; None if nothing does."""
        if not self._is_anything_limited:
            return None
        parts = _parts(owner_id, kind, concurrency_key)
        for part in parts:
            limit = self._limits.get(part)
            if limit and limit.is_paused:
                return StartBlock(True, limit.scope, limit.reason)
        for part in parts:
            most = self._most(part)
            if most is not None and self._running[part] >= most:
                return StartBlock(False, part[0], max_running=most)
        return None

    def _most(self, part: Part) -> int | None:
        scope, name = part
        limit = self._limits.get(part)
        most = limit.max_running if limit else None
        if scope == Scope.KIND:
            found = [each for each in (most, self._kind_limits.get(str(name))) if each is not None]
            return min(found, default=None)
        if most is None and scope in (Scope.OWNER, Scope.KEY) and name:
            each_without_its_own = self._limits.get((scope, ""))
            return each_without_its_own.max_running if each_without_its_own else None
        return most


def _part(limit: LimitRow) -> Part:
    return limit.scope, limit.owner_id or limit.name


def _parts(owner_id: int, kind: str, concurrency_key: str) -> list[Part]:
    """Return what may be limited, that of the owner first."""
    key: list[Part] = [(Scope.KEY.value, concurrency_key)] if concurrency_key else []
    return [
        (Scope.OWNER.value, owner_id), (Scope.KIND.value, kind), *key, (Scope.SERVICE.value, "")
    ]  # fmt: skip
