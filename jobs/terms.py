"""When a job may start and who hears of its end: what every kind may be asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

USUAL_PRIORITY = 4  # of 0 to 9; 9 is the most urgent


@dataclass(frozen=True)
class Terms:
    """`run_at` is the earliest start, `after` what has to be completed before.

    `email` tells the owner of its end; `webhook` is the address that is told, or empty. None leaves
    one of them, or the priority, to the owner's preferences. `named` are those that the request
    itself named.
    """

    priority: int | None = USUAL_PRIORITY
    run_at: datetime | None = None
    after: tuple[UUID, ...] = ()
    email: bool | None = False
    webhook: str | None = ""
    named: frozenset[str] = field(default=frozenset(), compare=False)

    def as_json(self) -> dict[str, Any]:
        return {
            "priority": self.priority,
            "run_at": self.run_at and self.run_at.isoformat(),
            "after": [str(job_id) for job_id in self.after],
            "email": self.email,
            "webhook": self.webhook,
        }

    def as_requested(self) -> dict[str, Any]:
        """What makes one request another: the same one stays it though settings change."""
        return {name: value for name, value in self.as_json().items() if name in self.named}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        """What `as_json` wrote."""
        run_at = told.get("run_at")
        return cls(
            **told
            | {
                "run_at": datetime.fromisoformat(run_at) if run_at else None,
                "after": tuple(UUID(job_id) for job_id in told.get("after", [])),
            }
        )


USUAL = Terms()
