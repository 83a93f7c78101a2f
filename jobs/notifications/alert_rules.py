"""What operators are alerted of. deploy/prometheus/alerts.yml has the same rules for Prometheus.

docs/runbook/ has a page for each: what it means, what to look at, what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import structlog

from jobs.lib.database import DATABASE_UNAVAILABLE
from jobs.notifications import alert_conditions as conditions
from jobs.notifications.alert_conditions import Found, ServiceState

log = structlog.get_logger(__name__)

FiringAlerts = Mapping[tuple[str, str], str]  # the sentence of each, by rule and subject


class AlertRule(NamedTuple):
    """A rule. Its alert fires once the condition has held for `for_seconds`."""

    name: str  # also of its page in docs/runbook/
    title: str
    find: Callable[[ServiceState], Found]
    for_seconds: int = 0


RULES = [
    AlertRule("jobs-wait-too-long", "Jobs wait too long", conditions.old_jobs),
    AlertRule("jobs-fail", "Many jobs fail", conditions.failures),
    AlertRule("jobs-lose-their-worker", "Jobs lose their worker", conditions.losses),
    AlertRule("jobs-stall", "Jobs stall", conditions.stalled, 30),
    AlertRule("no-workers", "No workers", conditions.no_workers, 30),
    # Not at once: after an outage of the database, processes report again within seconds.
    AlertRule(
        "worker-not-responding", "A worker is not responding", conditions.workers_not_responding, 30
    ),
    AlertRule("no-dispatchers", "No dispatchers", conditions.no_dispatchers, 30),
    AlertRule(
        "dispatcher-not-responding",
        "A dispatcher is not responding",
        conditions.dispatchers_not_responding,
        30,
    ),
    AlertRule("dispatcher-slow", "The dispatcher is slow", conditions.slow_dispatcher, 30),
    AlertRule("dependency-down", "A server is down", conditions.dependencies_down, 30),
    AlertRule("signatures-old", "Virus signatures are old", conditions.old_signatures, 30),
    AlertRule("store-fills", "The file store fills", conditions.full_store, 30),
    AlertRule("disk-fills", "A disk fills", conditions.full_scratch, 30),
    AlertRule("quota-near", "Owners are near their quota", conditions.near_quota, 30),
    AlertRule("outbox-stuck", "Mails or webhooks are stuck", conditions.stuck_outbox),
]
RULE_BY_NAME = {rule.name: rule for rule in RULES}


def runbook_path(rule_name: str) -> str:
    """Return the rule's page, as a path in the repository."""
    return f"docs/runbook/{rule_name}.md"


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
