"""What operators are alerted of. deploy/prometheus/alerts.yml has the same rules for Prometheus.

docs/runbook/ has a page for each: what it means, what to look at, what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.utils import timezone

from jobs.engine import figures, health
from jobs.engine.statistics import active_jobs_by_kind
from jobs.lib.database import DATABASE_UNAVAILABLE
from jobs.lib.scanner import is_scanner_on, scanner_status
from jobs.models import ServiceProcess
from jobs.web.wording.time_text import duration_text

log = structlog.get_logger(__name__)

LATELY = timedelta(minutes=10)
OLDEST_SECONDS = 90
FAILURE_SHARE, FAILURES_FROM = 0.2, 5  # of the jobs that ended lately, if at least so many failed
LOSSES = 3  # lately
TICK_SECONDS = 10
OVERDUE_SECONDS = 90
STORE_SHARE = 0.85
SIGNATURES_AGE = timedelta(days=3)
SCRATCH_FREE_SHARE = 0.1

Found = Iterator[tuple[str, str]]  # the subject of each alert, and a sentence
FiringAlerts = Mapping[tuple[str, str], str]  # the sentence of each, by rule and subject


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
    def dependencies(self) -> dict[str, bool]:
        return health.check_dependencies()

    @cached_property
    def scanner(self) -> tuple[bool, datetime | None]:
        return scanner_status()


def _old_jobs(state: ServiceState) -> Found:
    for kind, counts in state.active.items():
        age = counts["oldest"]
        if age and age.total_seconds() > OLDEST_SECONDS:
            waited = duration_text(age.total_seconds())
            yield kind, f"Jobs due: {counts['due']:,}. The oldest has waited for {waited}."


def _failures(state: ServiceState) -> Found:
    for kind, total in state.lately.items():
        failed, ended = total.counts["failed"], total.ended
        if failed >= FAILURES_FROM and failed / ended > FAILURE_SHARE:
            yield kind, f"{failed:,} of {ended:,} jobs failed in the last ten minutes."


def _losses(state: ServiceState) -> Found:
    for kind, total in state.lately.items():
        if (lost := total.counts["rescued"]) >= LOSSES:
            yield kind, f"Attempts that lost their worker in the last ten minutes: {lost:,}."


def _stalled(state: ServiceState) -> Found:
    for kind, counts in state.active.items():
        if counts["stalled"]:
            yield (
                kind,
                f"Running jobs without a heartbeat, not yet rescued: {counts['stalled']:,}.",
            )


def _no_workers(state: ServiceState) -> Found:
    if not state.processes["worker"].responding:
        yield "", "No worker is running."


def _workers_not_responding(_: ServiceState) -> Found:
    for worker in ServiceProcess.objects.not_responding().filter(role="worker"):
        yield worker.name, f"It has not reported since {worker.seen_at:%H:%M:%S} UTC."


def _no_dispatchers(state: ServiceState) -> Found:
    if not state.processes["dispatcher"].responding:
        yield "", "No dispatcher is running: lost jobs are not repeated, nothing expires."


def _slow_dispatcher(state: ServiceState) -> Found:
    tick = state.processes["dispatcher"].tick_seconds
    if tick > TICK_SECONDS:
        yield "", f"Its frequent sweeps take {duration_text(tick)}."


def _dependencies_down(state: ServiceState) -> Found:
    for name, responds in state.dependencies.items():
        if not responds:
            yield name, "It does not respond."
    if is_scanner_on() and not state.scanner[0]:
        yield "scanner", "It does not respond, so uploads wait."


def _old_signatures(state: ServiceState) -> Found:
    signatures = state.scanner[1] if is_scanner_on() else None
    if signatures and state.now - signatures > SIGNATURES_AGE:
        yield "", f"The virus signatures are of {signatures:%d %B %Y}."


def _full_store(_: ServiceState) -> Found:
    if settings.STORE_BYTES:
        share = figures.store_used_bytes() / settings.STORE_BYTES
        if share > STORE_SHARE:
            yield "", f"The file store is {share:.0%} full; uploads are refused from 90 % on."


def _full_scratch(_: ServiceState) -> Found:
    for process in ServiceProcess.objects.responding():
        if process.scratch_free < SCRATCH_FREE_SHARE:
            yield process.name, f"{process.scratch_free:.0%} of its disk is free."


def _near_quota(_: ServiceState) -> Found:
    if owners := figures.owners_storage().owners_near_quota:
        yield "", f"Owners who use at least 90 % of their storage quota: {owners:,}."


def _stuck_outbox(_: ServiceState) -> Found:
    for channel, outbox in figures.outbox_by_channel().items():
        if outbox.oldest_due_seconds > OVERDUE_SECONDS:
            late = duration_text(outbox.oldest_due_seconds)
            yield channel, f"Messages to send: {outbox.waiting:,}. The oldest is {late} late."


class AlertRule(NamedTuple):
    """A rule. Its alert fires once the condition has held for `for_seconds`."""

    name: str  # also of its page in docs/runbook/
    title: str
    find: Callable[[ServiceState], Found]
    for_seconds: int = 0


RULES = [
    AlertRule("jobs-wait-too-long", "Jobs wait too long", _old_jobs),
    AlertRule("jobs-fail", "Many jobs fail", _failures),
    AlertRule("jobs-lose-their-worker", "Jobs lose their worker", _losses),
    AlertRule("jobs-stall", "Jobs stall", _stalled, 30),
    AlertRule("no-workers", "No workers", _no_workers, 30),
    AlertRule("worker-not-responding", "A worker is not responding", _workers_not_responding),
    AlertRule("no-dispatchers", "No dispatchers", _no_dispatchers, 30),
    AlertRule("dispatcher-slow", "The dispatcher is slow", _slow_dispatcher, 30),
    AlertRule("dependency-down", "A server is down", _dependencies_down, 30),
    AlertRule("signatures-old", "Virus signatures are old", _old_signatures, 30),
    AlertRule("store-fills", "The file store fills", _full_store, 30),
    AlertRule("disk-fills", "A disk fills", _full_scratch, 30),
    AlertRule("quota-near", "Owners are near their quota", _near_quota, 30),
    AlertRule("outbox-stuck", "Mails or webhooks are stuck", _stuck_outbox),
]
RULE_BY_NAME = {rule.name: rule for rule in RULES}


def find_firing_alerts(state: ServiceState, rules: Sequence[AlertRule] = RULES) -> FiringAlerts:
    """Return what the rules find. A rule that fails is logged, and finds nothing."""
    found: dict[tuple[str, str], str] = {}
    for rule in rules:
        try:
            for subject, sentence in rule.find(state):
                found[rule.name, subject[:100]] = sentence[:500]
        except DATABASE_UNAVAILABLE:
            raise
        except Exception:
            log.exception("an alert rule failed", rule=rule.name)
    return found
