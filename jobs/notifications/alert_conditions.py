"""The conditions of the alert rules: each yields what is wrong now. See alert_rules.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.utils import timezone

from jobs.engine import figures, health
from jobs.engine.statistics import active_jobs_by_kind
from jobs.lib.scanner import is_scanner_on, scanner_status
from jobs.models import ServiceProcess
from jobs.web.wording.time_text import duration_text

LATELY = timedelta(minutes=10)
OLDEST_SECONDS = 90
FAILURE_SHARE, FAILURES_FROM = 0.2, 5  # of the jobs that ended lately, if at least so many failed
LOSSES = 3  # lately
TICK_SECONDS = 10
OVERDUE_SECONDS = 90
STORE_SHARE = 0.85
SIGNATURES_AGE = timedelta(days=3)
SCRATCH_FREE_SHARE = 0.1
MOST_NAMED = 3  # processes in a sentence

Found = Iterator[tuple[str, str]]  # the subject of each alert, and a sentence


@dataclass(frozen=True)
class ServiceState:
    """The figures that the rules look at, each read when a rule asks for it."""

    now: datetime = field(default_factory=timezone.now)

    @cached_property
    def active(self) -> dict[str, dict[str, Any]]:
        return active_jobs_by_kind()

    @cached_property
    def lately(self) -> dict[str, figures.KindTotals]:
        return figures.totals_by_kind(LATELY)

    @cached_property
    def processes(self) -> dict[str, figures.Processes]:
        return figures.processes_by_role()

    @cached_property
    def not_responding(self) -> list[ServiceProcess]:
        return list(ServiceProcess.objects.not_responding())

    @cached_property
    def dependencies(self) -> dict[str, bool]:
        return health.check_dependencies()

    @cached_property
    def scanner(self) -> tuple[bool, datetime | None]:
        return scanner_status()


def old_jobs(state: ServiceState) -> Found:
    for kind, counts in state.active.items():
        age = counts["longest_wait"]
        if age and age.total_seconds() > OLDEST_SECONDS:
            waited = duration_text(age.total_seconds())
            yield kind, f"Jobs due: {counts['due']:,}. The oldest has waited for {waited}."


def failures(state: ServiceState) -> Found:
    for kind, total in state.lately.items():
        failed, ended = total.counts["failed"], total.ended
        if failed >= FAILURES_FROM and failed / ended > FAILURE_SHARE:
            yield kind, f"{failed:,} of {ended:,} jobs failed in the last ten minutes."


def losses(state: ServiceState) -> Found:
    for kind, total in state.lately.items():
        if (lost := total.counts["rescued"]) >= LOSSES:
            yield kind, f"Attempts that lost their worker in the last ten minutes: {lost:,}."


def stalled(state: ServiceState) -> Found:
    for kind, counts in state.active.items():
        if counts["stalled"]:
            yield (
                kind,
                f"Running jobs without a heartbeat, not yet rescued: {counts['stalled']:,}.",
            )


def no_workers(state: ServiceState) -> Found:
    if not state.processes["worker"].responding:
        yield "", _none_responds(state, ServiceProcess.Role.WORKER)


def workers_not_responding(state: ServiceState) -> Found:
    yield from _not_responding(state, ServiceProcess.Role.WORKER)


def dispatchers_not_responding(state: ServiceState) -> Found:
    if state.processes["dispatcher"].responding:  # otherwise no-dispatchers fires
        yield from _not_responding(state, ServiceProcess.Role.DISPATCHER)


def _not_responding(state: ServiceState, role: str) -> Found:
    for process in state.not_responding:
        if process.role == role:
            yield process.name, f"It has not reported since {process.seen_at:%H:%M:%S} UTC."


def no_dispatchers(state: ServiceState) -> Found:
    if not state.processes["dispatcher"].responding:
        sentence = _none_responds(state, ServiceProcess.Role.DISPATCHER)
        yield "", f"{sentence} Lost jobs are not repeated, nothing expires."


def _none_responds(state: ServiceState, role: ServiceProcess.Role) -> str:
    """Return a sentence that names the processes with a row: they may only be frozen."""
    seconds = state.processes[role].seen_seconds_ago
    if seconds is None:
        return f"No {role} is running."
    names = [process.name for process in state.not_responding if process.role == role]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    named = ", ".join(names[:MOST_NAMED])
    return f"No {role} has reported for {duration_text(seconds)}: {named}{more}."


def slow_dispatcher(state: ServiceState) -> Found:
    tick = state.processes["dispatcher"].tick_seconds
    if tick > TICK_SECONDS:
        yield "", f"Its frequent sweeps take {duration_text(tick)}."


def dependencies_down(state: ServiceState) -> Found:
    for name, responds in state.dependencies.items():
        if not responds:
            yield name, "It does not respond."
    if is_scanner_on() and not state.scanner[0]:
        yield "scanner", "It does not respond, so uploads wait."


def old_signatures(state: ServiceState) -> Found:
    signatures = state.scanner[1] if is_scanner_on() else None
    if signatures and state.now - signatures > SIGNATURES_AGE:
        yield "", f"The virus signatures are of {signatures:%d %B %Y}."


def full_store(_: ServiceState) -> Found:
    if settings.STORE_BYTES:
        share = figures.store_used_bytes() / settings.STORE_BYTES
        if share > STORE_SHARE:
            yield "", f"The file store is {share:.0%} full; uploads are refused from 90 % on."


def full_scratch(_: ServiceState) -> Found:
    for process in ServiceProcess.objects.responding():
        if process.scratch_free < SCRATCH_FREE_SHARE:
            yield process.name, f"{process.scratch_free:.0%} of its disk is free."


def near_quota(_: ServiceState) -> Found:
    if owners := figures.owners_storage().owners_near_quota:
        yield "", f"Owners who use at least 90 % of their storage quota: {owners:,}."


def stuck_outbox(_: ServiceState) -> Found:
    for channel, outbox in figures.outbox_by_channel().items():
        if outbox.oldest_due_seconds > OVERDUE_SECONDS:
            late = duration_text(outbox.oldest_due_seconds)
            yield channel, f"Messages to send: {outbox.waiting:,}. The oldest is {late} late."
    for channel, count in figures.failing_messages().items():
        yield channel, f"Messages that failed at least twice: {count:,}. None was sent since."
