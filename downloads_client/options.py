"""The options of a new download, and their members in request bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Self

from downloads_client.failures import UsageError

PERIOD = re.compile(r"[0-9]{1,3}d")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
WEB = re.compile(r"https?://", re.IGNORECASE)
FORMATS = ("pdf", "csv", "json")
MISPLACED = {
    "of_links": "--threads and --sha256 need a new link.",
    "of_reports": "--period, --from, --to, --format and --everybody need a report.",
    "bundle": "--bundle needs file numbers or download IDs.",
    "terms": "--priority, --run-at, --after, --email and --webhook need a new download.",
}


@dataclass(frozen=True)
class Options:
    """Values of the command line's options. The properties are members of request bodies."""

    name: str = ""
    bundle: bool = False
    threads: int | None = None
    sha256: str = ""
    period: str = ""
    first_day: str = ""
    last_day: str = ""
    format: str = ""
    everybody: bool = False
    priority: int | None = None
    run_at: str = ""
    after: list[str] = field(default_factory=list)
    email: bool | None = None
    webhook: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        return cls(**{field.name: options[field.name] for field in fields(cls)})

    @property
    def of_links(self) -> dict[str, Any]:
        return without_empty(threads=self.threads, sha256=self.sha256)

    @property
    def of_reports(self) -> dict[str, Any]:
        days = {"from": self.first_day, "to": self.last_day}
        everybody = self.everybody or None
        return without_empty(period=self.period, **days, format=self.format, everybody=everybody)

    @property
    def terms(self) -> dict[str, Any]:
        when = without_empty(priority=self.priority, runAt=self.run_at, after=self.after)
        return when | without_empty(email=self.email, webhook=self.webhook)

    def reject(self, *groups: str) -> None:
        """Raise UsageError if an option of one of these groups was given."""
        for group in groups:
            if getattr(self, group):
                raise UsageError(MISPLACED[group])

    def validate(self) -> None:
        """Raise UsageError for a malformed value. Limits are checked by the service."""
        self._validate_days()
        if self.format and self.format not in FORMATS:
            raise UsageError("--format must be pdf, csv or json.")
        if self.run_at and not is_time_with_zone(self.run_at):
            raise UsageError(
                "--run-at needs a time with a time zone, such as 2026-11-23T06:00:00Z."
            )
        if not all(JOB_ID.fullmatch(each) for each in self.after):
            raise UsageError("--after needs a download ID.")
        if self.webhook and not WEB.match(self.webhook):
            raise UsageError("--webhook needs a URL such as https://hooks.example.org/x.")

    def _validate_days(self) -> None:
        days = [day for day in (self.first_day, self.last_day) if day]
        if self.period and not PERIOD.fullmatch(self.period):
            raise UsageError("--period needs a number of days, such as 7d.")
        if not all(is_day(day) for day in days):
            raise UsageError("--from and --to need days, such as 2026-10-31.")
        if len(days) == 1:
            raise UsageError("Use --from and --to together.")
        if days and self.period:
            raise UsageError("Use either --period, or --from and --to.")


NO_OPTIONS = Options()


def without_empty(**members: Any) -> dict[str, Any]:
    """Return the members that are not None, empty text or an empty list."""
    return {name: value for name, value in members.items() if value not in (None, "", [])}


def is_day(text: str) -> bool:
    try:
        return bool(DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def is_time_with_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
