"""The trace of each attempt of a job. Pure: needs no packages.

The trace id of the first attempt is the job's id. So all processes know it, without a column, and
a doorbell that is sent again belongs to the same trace. Each later attempt has a trace of its own,
whose id is derived. All have the last 8 bytes of the job's id, by which samplers decide: so either
all attempts of a job are sampled, or none.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Self
from uuid import UUID

KEPT_BYTES = 8  # of the job's id


@dataclass(frozen=True)
class AttemptIds:
    """The ids of the trace of an attempt, and of the span in which the worker runs it."""

    trace_id: int
    span_id: int

    @classmethod
    def of(cls, job_id: UUID | str, attempt: int) -> Self:
        """Return the ids of an attempt, counted from 1."""
        job = UUID(str(job_id)).bytes
        digest = sha256(b"%b %d" % (job, attempt)).digest()
        trace = job if attempt == 1 else digest[:KEPT_BYTES] + job[KEPT_BYTES:]
        span = int.from_bytes(digest[KEPT_BYTES : 2 * KEPT_BYTES], "big")
        return cls(int.from_bytes(trace, "big"), span or 1)


def trace_id_text(job_id: UUID | str, attempt: int) -> str:
    """Return the trace id as trace viewers show it: 32 hexadecimal digits."""
    return f"{AttemptIds.of(job_id, attempt).trace_id:032x}"


def trace_url(template: str, job_id: UUID | str, attempt: int) -> str:
    """Return the URL of the trace: `template` is the setting TRACE_URL."""
    return template.replace("{trace_id}", trace_id_text(job_id, attempt))
