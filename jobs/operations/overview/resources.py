"""The health of what the service depends on, and the storage that owners use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from jobs.engine import figures
from jobs.engine.health import HealthProbe, all_probes
from jobs.lib.file_size import file_size_text
from jobs.lib.replica import MAX_LAG_SECONDS, REPLICA
from jobs.lib.scanner import is_scanner_on, ping_scanner
from jobs.models import Usage
from jobs.operations.overview.links import jobs_link
from jobs.operations.overview.texts import seconds_text

TIMEOUT_SECONDS = 1.5  # for all: the page must come although a server hangs
SLOW_SECONDS = 0.25
TOP_OWNERS = 5
LABELS = {
    "database": "Database",
    "replica": "Replica of the database",
    "broker": "Broker",
    "storage": "File store",
    "scanner": "Virus scanner",
}


def _scanner() -> None:
    ping_scanner(settings.CLAMD)


SCANNER = HealthProbe(_scanner)


@dataclass(frozen=True)
class Dependency:
    name: str
    label: str
    is_healthy: bool
    seconds: float

    @property
    def is_slow(self) -> bool:
        return self.is_healthy and self.seconds > SLOW_SECONDS

    @property
    def text(self) -> str:
        if not self.is_healthy:
            return "does not respond"
        milliseconds = f"{1000 * self.seconds:.0f}\u00a0ms"
        return f"slow, {milliseconds}" if self.is_slow else milliseconds


class ReplicaDependency(Dependency):
    """The replica; `seconds` is how far it is behind."""

    @property
    def text(self) -> str:
        if not self.is_healthy:
            return (
                f"is down, or more than {MAX_LAG_SECONDS:.0f}\u00a0s behind; polls read the primary"
            )
        return f"{self.seconds:.1f}\u00a0s behind"


def read_dependencies() -> list[Dependency]:
    """Probe all at the same time, and wait TIMEOUT_SECONDS at most."""
    probes: Mapping[str, HealthProbe] = all_probes()
    if is_scanner_on():
        probes = {**probes, "scanner": SCANNER}
    for probe in probes.values():
        probe.start()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    return [_dependency(name, probes[name], deadline) for name in LABELS if name in probes]


def _dependency(name: str, probe: HealthProbe, deadline: float) -> Dependency:
    is_healthy, label = probe.is_healthy(deadline), LABELS[name]
    if name == "replica":
        return ReplicaDependency(name, label, is_healthy, REPLICA.lag_seconds)
    return Dependency(name, label, is_healthy, probe.seconds)


@dataclass(frozen=True)
class OverdueMessages:
    """Mails and webhooks that are due but not sent."""

    overdue: int
    oldest_text: str


def read_outbox() -> OverdueMessages:
    outboxes = figures.outbox_by_channel().values()
    due = sum(outbox.due for outbox in outboxes)
    oldest = max(outbox.oldest_due_seconds for outbox in outboxes)
    return OverdueMessages(due, seconds_text(oldest if due else None))


@dataclass(frozen=True)
class OwnerStorage:
    username: str
    text: str
    share_of_quota: int | None  # percent

    @property
    def link(self) -> str:
        return jobs_link(owner=self.username)


@dataclass(frozen=True)
class StorageUse:
    used_text: str
    limit_text: str
    percent: int | None  # None without STORE_BYTES
    owners: list[OwnerStorage]


def read_storage() -> StorageUse:
    used = figures.owners_storage().stored_bytes
    top = Usage.objects.filter(stored_bytes__gt=0).select_related("owner")
    owners = [
        OwnerStorage(
            each.owner.get_username(),
            file_size_text(each.stored_bytes),
            _percent(each.stored_bytes, settings.OWNER_STORAGE_BYTES),
        )
        for each in top.order_by("-stored_bytes")[:TOP_OWNERS]
    ]
    limit = settings.STORE_BYTES
    percent = _percent(used, limit)
    return StorageUse(file_size_text(used), file_size_text(limit) if limit else "", percent, owners)


def _percent(part: int, whole: int | None) -> int | None:
    return min(round(100 * part / whole), 100) if whole else None
