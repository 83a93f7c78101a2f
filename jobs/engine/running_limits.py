"""Why a ready job may not start now: a pause, or a limit that is reached.

What may not start comes from jobs_blocked_1 (migration 0027); here it gets its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jobs.engine.queue_rows import BlockedRow, LimitRow
from jobs.models import QueueLimit

Scope = QueueLimit.Scope
Part = tuple[str, str | int]  # a scope, and the owner, the kind or the key
SERVICE: Part = (Scope.SERVICE.value, "")


class StartBlock(NamedTuple):
    """What keeps a job from starting: a pause with its reason, or a limit on what is running."""

    is_paused: bool
    scope: str
    reason: str = ""
    max_running: int = 0


class RunningLimits:
    """The limits and pauses, and what they keep from starting now."""

    def __init__(
        self,
        limits: Iterable[LimitRow],
        blocked: BlockedRow,
        kind_limits: Mapping[str, int | None],
    ) -> None:
        self._limits = {(limit.scope, limit.owner_id or limit.name): limit for limit in limits}
        self._kind_limits = kind_limits
        self._blocked: set[Part] = {
            *((Scope.KIND.value, kind) for kind in blocked.kinds),
            *((Scope.OWNER.value, owner_id) for owner_id in blocked.owners),
            *((Scope.KEY.value, key) for key in blocked.keys),
            *([SERVICE] if blocked.everything else []),
        }

    def block(self, *, owner_id: int, kind: str, concurrency_key: str) -> StartBlock | None:
        """Return what keeps the owner's jobs of the kind from starting; None if nothing does.

        A pause comes before a limit, and what concerns the owner before the rest.
        """
        if not self._blocked:
            return None
        owner, key = (Scope.OWNER.value, owner_id), (Scope.KEY.value, concurrency_key)
        parts = [owner, (Scope.KIND.value, kind), key, SERVICE]
        blocks = [self._block_of(part) for part in parts if part in self._blocked]
        return min(blocks, key=lambda block: not block.is_paused, default=None)

    def _block_of(self, part: Part) -> StartBlock:
        scope, name = part
        limit = self._limits.get(part)
        if limit and limit.is_paused:
            return StartBlock(True, scope, limit.reason)
        if limit is None or limit.max_running is None:
            limit = self._limits.get((scope, ""))  # that of each without their own
        found = [limit.max_running if limit else None]
        if scope == Scope.KIND:
            found.append(self._kind_limits.get(str(name)))
        most = min((each for each in found if each is not None), default=0)
        return StartBlock(False, scope, max_running=most)
