"""What is wrong now, since when, and its page in the runbook: the rules that operators know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.kinds.registry import KINDS
from jobs.models import Alert
from jobs.notifications.alert_conditions import ServiceState
from jobs.notifications.alert_rules import (
    RULE_BY_NAME,
    RULES,
    find_firing_alerts,
    runbook_path,
)
from jobs.operations.overview.links import jobs_link
from jobs.operations.overview.resources import Dependency
from jobs.states import Status

# Of what does not start or does not go on. The rest are warnings.
ERRORS = {
    "dependency-down", "no-workers", "no-dispatchers", "jobs-stall", "jobs-wait-too-long"
}  # fmt: skip
# The filters of the list with the jobs that a rule found, beside their kind.
FILTERS = {
    "jobs-wait-too-long": {"state": "due"},
    "jobs-stall": {"state": "stalled"},
    "jobs-fail": {"status__exact": Status.FAILED.value, "finished": "1h"},
}


@dataclass(frozen=True)
class ShownAlert:
    level: str  # "error" or "warning", as the admin's messages
    text: str
    link: str = ""
    since: datetime | None = None  # None until a dispatcher or a worker has recorded it
    runbook: str = ""


def find_alerts(dependencies: list[Dependency]) -> list[ShownAlert]:
    """Return what is wrong, the worst first. `dependencies` were probed already."""
    down = [each for each in dependencies if not each.is_healthy]
    # Not probed again: a server that is down takes seconds to time out.
    left_out = {"dependency-down", *(["signatures-old"] if down else [])}
    rules = [rule for rule in RULES if rule.name not in left_out]
    since = {
        (alert.rule, alert.subject): alert.since for alert in Alert.objects.filter(resolved_at=None)
    }
    texts = {("dependency-down", each.name): f"{each.label}: {each.text}." for each in down}
    for key, sentence in find_firing_alerts(ServiceState(), rules).items():
        texts[key] = _text(*key, sentence)
    alerts = [_shown(*key, text, since.get(key)) for key, text in texts.items()]
    return sorted(alerts, key=lambda alert: alert.level != "error")


def _text(name: str, subject: str, sentence: str) -> str:
    title = RULE_BY_NAME[name].title
    about = KINDS[subject].label if subject in KINDS else subject
    return f"{title}: {about}. {sentence}" if about else f"{title}. {sentence}"


def _shown(name: str, subject: str, text: str, since: datetime | None) -> ShownAlert:
    filters = FILTERS.get(name)
    return ShownAlert(
        "error" if name in ERRORS else "warning",
        text,
        jobs_link(kind=subject, **filters) if filters else "",
        since,
        runbook_path(name),
    )
