"""Reports on downloads."""

from __future__ import annotations

import re
from datetime import date

from downloads_client.failures import UsageError
from downloads_client.kinds.base import DownloadKind
from downloads_client.options import Option, OptionGroup, OptionValues

PERIOD = re.compile(r"[0-9]{1,3}d")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FORMATS = ("pdf", "csv", "json")


class ReportKind(DownloadKind):
    """Requested by its name alone."""

    name = "report"
    description = "a report on your downloads"
    items_help = "the word report"
    options = OptionGroup(
        (
            Option(
                "--period",
                "days of a report, up to today (default: 30d)",
                "period",
                metavar="DAYS",
            ),
            Option(
                "--from",
                "first day of a report, such as 2026-10-01",
                "from",
                metavar="DAY",
                dest="first_day",
            ),
            Option(
                "--to",
                "last day of a report, such as 2026-10-31",
                "to",
                metavar="DAY",
                dest="last_day",
            ),
            Option(
                "--format",
                "format of a report: pdf, csv or json (default: pdf)",
                "format",
                metavar="NAME",
            ),
            Option(
                "--everybody",
                "report on everyone's downloads (staff only)",
                "everybody",
                action="store_true",
            ),
        ),
        misplaced="--period, --from, --to, --format and --everybody need a report.",
    )
    name_member = ""
    name_rejected = "--name works for files and links, not for reports. --output works for all."
    path = "reports"

    def matches(self, items: list[str], values: OptionValues) -> bool:
        return self.name in items

    def check_items(self, items: list[str]) -> None:
        if len(items) > 1:
            raise UsageError("Request a report alone, without file numbers, links or IDs.")

    def check_options(self, values: OptionValues) -> None:
        period, format_name = values.get("period"), values.get("format")
        days = [values[key] for key in ("first_day", "last_day") if values.get(key)]
        if period and not PERIOD.fullmatch(period):
            raise UsageError("--period needs a number of days, such as 7d.")
        if not all(map(is_report_day, days)):
            raise UsageError("--from and --to need days, such as 2026-10-31.")
        if len(days) == 1:
            raise UsageError("Use --from and --to together.")
        if days and period:
            raise UsageError("Use either --period, or --from and --to.")
        if format_name and format_name not in FORMATS:
            raise UsageError("--format must be pdf, csv or json.")

    def summary(self, items: list[str]) -> str:
        return "a report"


def is_report_day(text: str) -> bool:
    try:
        return bool(DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False
