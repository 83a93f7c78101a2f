"""What is wrong now, since when, and its page in the runbook: the rules that operators know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Now

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

RECENT, MOST_PAST = timedelta(hours=24), 10
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


@dataclass(frozen=True)
class PastAlert:
    """Something that was wrong, also if it was over before anybody was notified."""

    title: str
    sentence: str
    since: datetime
    until: datetime
    runbook: str


def find_past_alerts() -> list[PastAlert]:
    """Return what was wrong in the last 24 hours, the newest first."""
    over = Alert.objects.filter(resolved_at__gte=Now() - RECENT)
    return [
        PastAlert(
            _title(alert.rule, alert.subject),
            alert.sentence,
            alert.since,
            alert.seen_at,  # it counts as resolved a minute later
            runbook_path(alert.rule),
        )
        for alert in over.order_by("-resolved_at")[:MOST_PAST]
    ]


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
    return f"{_title(name, subject)}. {sentence}"


def _title(name: str, subject: str) -> str:
    """Return 'Jobs stall: Zip'. The rule of an old alert may be gone."""
    title = RULE_BY_NAME[name].title if name in RULE_BY_NAME else name
    about = KINDS[subject].label if subject in KINDS else subject
    return f"{title}: {about}" if about else title


def _shown(name: str, subject: str, text: str, since: datetime | None) -> ShownAlert:
    filters = FILTERS.get(name)
    return ShownAlert(
        "error" if name in ERRORS else "warning",
        text,
        jobs_link(kind=subject, **filters) if filters else "",
        since,
        runbook_path(name),
    )
