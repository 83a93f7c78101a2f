"""How a job names the stored files that it reads. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sources:
    """Numbers of files, jobs whose artifacts are read, and the key of an upload."""

    file_ids: Sequence[int] = ()
    made_by: Sequence[str] = ()
    received_key: str | None = None
