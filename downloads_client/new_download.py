"""A request that creates a download, and the options that all kinds have."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from downloads_client.failures import UsageError
from downloads_client.items import is_job_item, is_link_item
from downloads_client.options import Option, OptionGroup, OptionValues

COMMON_OPTIONS = OptionGroup(
    (
        Option(
            "--priority", "priority, 0 to 9 (default: 4)", "priority", metavar="N", value_type=int
        ),
        Option("--run-at", "start time, such as 2026-11-23T06:00:00Z", "runAt", metavar="TIME"),
        Option(
            "--after",
            "start after this download; repeatable",
            "after",
            metavar="ID",
            action="append",
        ),
        Option("--email", "send an email when it finishes", "email", action=BooleanOptionalAction),
        Option("--webhook", "URL that receives a POST when it finishes", "webhook", metavar="URL"),
    ),
    misplaced="--priority, --run-at, --after, --email and --webhook need a new download.",
)


@dataclass(frozen=True)
class NewDownload:
    """A download to create. The idempotency key makes all tries to create it one job."""

    path: str
    body: dict[str, Any]
    summary: str  # for people: "3 files"
    method: str = "POST"
    idempotency_key: str = field(default_factory=lambda: str(uuid4()))


def check_common_options(values: OptionValues) -> None:
    """Raise UsageError for a malformed value. Limits are checked by the service."""
    run_at, webhook = values.get("run_at"), values.get("webhook")
    if run_at and not is_time_with_zone(run_at):
        raise UsageError("--run-at needs a time with a time zone, such as 2026-11-23T06:00:00Z.")
    if not all(map(is_job_item, values.get("after") or [])):
        raise UsageError("--after needs a download ID.")
    if webhook and not is_link_item(webhook):
        raise UsageError("--webhook needs a URL such as https://hooks.example.org/x.")


def is_time_with_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
