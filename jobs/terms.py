"""Options of a request that are common to all kinds: when to start, and whom to notify. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

USUAL_PRIORITY = 4  # of 0 to 9; 9 is the most urgent
# Their names in a request.
REQUEST_FIELDS = ("email", "webhook", "runAt", "after", "priority")


@dataclass(frozen=True)
class Terms:
    """The options of one request.

    `run_at` is the earliest start, `after` the jobs that must be completed first. `email` mails the
    owner when the job ends; `webhook` is the URL to notify, or empty. None for one of these, or for
    the priority, means the owner's preference. `named` are the options that the request has, and
    `api_key` is the prefix of the key that sent it.
    """

    priority: int | None = USUAL_PRIORITY
    run_at: datetime | None = None
    after: tuple[UUID, ...] = ()
    email: bool | None = False
    webhook: str | None = ""
    api_key: str = ""
    named: frozenset[str] = field(default=frozenset(), compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the options as JSON, for storage."""
        return {
            "priority": self.priority,
            "run_at": self.run_at and self.run_at.isoformat(),
            "after": [str(job_id) for job_id in self.after],
            "email": self.email,
            "webhook": self.webhook,
            **({"api_key": self.api_key} if self.api_key else {}),
        }

    def as_requested(self) -> dict[str, Any]:
        """Return the options that the request has, by which repeated requests are recognized.

        Defaults are left out: a request stays the same when preferences change.
        """
        return {name: value for name, value in self.as_json().items() if name in self.named}

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> Self:
        """Return the options that `as_json` stored."""
        run_at = stored.get("run_at")
        return cls(
            **stored
            | {
                "run_at": datetime.fromisoformat(run_at) if run_at else None,
                "after": tuple(UUID(job_id) for job_id in stored.get("after", [])),
            }
        )


USUAL = Terms()
