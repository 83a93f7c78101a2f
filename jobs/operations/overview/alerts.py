"""What is wrong now, as sentences with a link to press: the rules that operators are alerted by."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.kinds.registry import KINDS
from jobs.notifications.alert_conditions import ServiceState
from jobs.notifications.alert_rules import RULE_BY_NAME, RULES, find_firing_alerts
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


def find_alerts(dependencies: list[Dependency]) -> list[ShownAlert]:
    """Return what is wrong, the worst first. `dependencies` were probed already."""
    down = [each for each in dependencies if not each.is_healthy]
    # Not probed again: a server that is down takes seconds to time out.
    left_out = {"dependency-down", *(["signatures-old"] if down else [])}
    rules = [rule for rule in RULES if rule.name not in left_out]
    alerts = [
        *(ShownAlert("error", f"{each.label}: {each.text}.") for each in down),
        *(
            _shown(name, subject, sentence)
            for (name, subject), sentence in find_firing_alerts(ServiceState(), rules).items()
        ),
    ]
    return sorted(alerts, key=lambda alert: alert.level != "error")


def _shown(name: str, subject: str, sentence: str) -> ShownAlert:
    title, filters = RULE_BY_NAME[name].title, FILTERS.get(name)
    about = KINDS[subject].label if subject in KINDS else subject
    return ShownAlert(
        "error" if name in ERRORS else "warning",
        f"{title}: {about}. {sentence}" if about else f"{title}. {sentence}",
        jobs_link(kind=subject, **filters) if filters else "",
    )
