"""What the options say of a new download, beside what is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Self

from jobs.client.errors import Misused

PERIOD = re.compile(r"[0-9]{1,3}d")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FORMATS = ("pdf", "csv", "json")
MISPLACED = {
    "of_links": "--threads and --sha256 are for a new link.",
    "of_reports": "--period, --from, --to, --format and --everybody are for a report.",
}


@dataclass(frozen=True)
class Beside:
    """As the options have it; the properties are members of requests, without what nobody said."""

    name: str = ""
    threads: int | None = None
    sha256: str = ""
    period: str = ""
    first_day: str = ""
    last_day: str = ""
    format: str = ""
    everybody: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        return cls(**{field.name: options[field.name] for field in fields(cls)})

    @property
    def of_links(self) -> dict[str, Any]:
        return said(threads=self.threads, sha256=self.sha256)

    @property
    def of_reports(self) -> dict[str, Any]:
        days = {"from": self.first_day, "to": self.last_day}
        everybody = self.everybody or None
        return said(period=self.period, **days, format=self.format, everybody=everybody)

    def refuse(self, *groups: str) -> None:
        """Raises Misused where one of these was given: they are of no use for what is wanted."""
        for group in groups:
            if getattr(self, group):
                raise Misused(MISPLACED[group])

    def check(self) -> None:
        """Raises Misused for what cannot be meant; how much may be asked for the service knows."""
        days = [day for day in (self.first_day, self.last_day) if day]
        if self.period and not PERIOD.fullmatch(self.period):
            raise Misused("--period is a number of days, as in 7d.")
        if not all(is_day(day) for day in days):
            raise Misused("--from and --to are days, as in 2026-10-31.")
        if len(days) == 1:
            raise Misused("--from and --to come together.")
        if days and self.period:
            raise Misused("Give either --period, or --from and --to.")
        if self.format and self.format not in FORMATS:
            raise Misused("--format is pdf, csv or json.")


NOTHING = Beside()


def said(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "")}


def is_day(text: str) -> bool:
    try:
        return bool(DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False
