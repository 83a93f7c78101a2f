"""A workspace for reports, in memory and on disk."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jobs.reporting import ReportParams, Row

FIRST, LAST = date(2026, 10, 24), date(2026, 11, 22)
MADE_AT = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)


@dataclass
class Desk:
    """What a builder is given. `interrupt` is what `advance` raises, after so many calls."""

    scratch: Path
    output: io.BytesIO = field(default_factory=io.BytesIO)
    told: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    planned: list[tuple[int, str]] = field(default_factory=list)
    advanced: list[int] = field(default_factory=list)
    interrupt: Callable[[], BaseException] | None = None
    patience: int = 0

    def tell(self, **told: Any) -> None:
        self.told |= told

    def plan(self, total: int, unit: str) -> None:
        self.planned.append((total, unit))

    def say(self, message: str) -> None:
        self.said.append(message)

    def advance(self, amount: int, *, threads: int = 0) -> None:
        self.advanced.append(amount)
        if self.interrupt and len(self.advanced) > self.patience:
            raise self.interrupt()
