"""Record alerts, and notify operators when one fires and when it is resolved. See alert_rules.py.

They are recorded also if nobody is notified: the overview says since when something is wrong.
Dispatchers call `check_alerts`. If none is running, workers do: see `stand_in_for_dispatchers`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import transaction

from jobs.lib.database import try_transaction_lock
from jobs.models import Alert, Notification, ServiceProcess
from jobs.notifications import mail, webhook
from jobs.notifications.alert_conditions import ServiceState
from jobs.notifications.alert_rules import RULE_BY_NAME, FiringAlerts, find_firing_alerts
from jobs.notifications.senders import LEASE, send_notification

log = structlog.get_logger(__name__)

LOCK = (3, 0)
CLEAR_AFTER = timedelta(
    seconds=60
)  # of the rule not holding, so that an alert that flaps is sent once
# Of the rule not holding, or of nobody checking: then an alert that was not sent starts again.
INTERRUPTED_AFTER = timedelta(seconds=30)
SENDS: dict[Notification.Channel, Callable[[Notification], None]] = {
    Notification.Channel.ALERT: mail.send_mail_message,
    Notification.Channel.WEBHOOK: webhook.send_webhook,
}


def are_alerts_on() -> bool:
    """Return whether anybody is alerted."""
    return bool(settings.OPERATOR_EMAILS or settings.OPERATOR_WEBHOOK)


def check_alerts() -> int:
    """Evaluate the rules, record what is firing, and queue messages. Return how many."""
    firing = find_firing_alerts(ServiceState())
    with transaction.atomic():
        now, is_locked = try_transaction_lock(LOCK)
        return len(_record(firing, now)) if is_locked else 0


def _record(firing: FiringAlerts, now: datetime) -> list[Notification]:
    """Bring the rows up to date. Return the messages that were queued."""
    messages: list[Notification] = []
    notifies = are_alerts_on()
    alerts = {
        (alert.rule, alert.subject): alert for alert in Alert.objects.filter(resolved_at=None)
    }
    for key in firing.keys() - alerts.keys():
        rule, subject = key
        alerts[key] = Alert(rule=rule, subject=subject, since=now, seen_at=now)
    for key, alert in alerts.items():
        if key in firing:
            if alert.notified_at is None and now - alert.seen_at > INTERRUPTED_AFTER:
                alert.since = now
            alert.sentence, alert.seen_at = firing[key], now
            is_due = alert.notified_at is None and now - alert.since >= _notified_after(alert)
            if notifies and is_due:
                alert.notified_at = now
                messages += _notify(alert)
        elif now - alert.seen_at >= CLEAR_AFTER:
            alert.resolved_at = now
            messages += _notify(alert) if alert.notified_at else []
        alert.save()
    return messages


def _notified_after(alert: Alert) -> timedelta:
    rule = RULE_BY_NAME.get(alert.rule)
    return timedelta(seconds=rule.for_seconds if rule else 0)


def _notify(alert: Alert) -> list[Notification]:
    """Queue a mail and a webhook about the alert, or about its end."""
    log.warning(
        "alert resolved" if alert.resolved_at else "alert", rule=alert.rule, subject=alert.subject
    )
    content = {"alert": alert_content(alert)}
    return [
        Notification.objects.create(pk=uuid4(), channel=channel, to=to, content=content)
        for channel, to in operator_addresses().items()
    ]


def operator_addresses() -> dict[Notification.Channel, str]:
    """Return where operators are alerted, by channel."""
    addresses = {
        Notification.Channel.ALERT: ", ".join(settings.OPERATOR_EMAILS),
        Notification.Channel.WEBHOOK: settings.OPERATOR_WEBHOOK,
    }
    return {channel: to for channel, to in addresses.items() if to}


def alert_content(alert: Alert) -> dict[str, str | None]:
    """Return the alert as operators get it."""
    rule = RULE_BY_NAME.get(alert.rule)
    return {
        "rule": alert.rule,
        "title": rule.title if rule else alert.rule,
        "subject": alert.subject,
        "sentence": alert.sentence,
        "since": alert.since.isoformat(),
        "resolvedAt": alert.resolved_at.isoformat() if alert.resolved_at else None,
    }


def stand_in_for_dispatchers() -> None:
    """Check the alerts in a worker, and send what there is, if no dispatcher is running."""
    if not ServiceProcess.objects.responding().filter(role="dispatcher"):
        check_alerts()
        send_due_alerts()


def send_due_alerts() -> None:
    """Send the messages about alerts that are due, from this process."""
    ours = Notification.objects.filter(owner=None)
    for channel, send in SENDS.items():
        while notification := ours.take(channel, lease=LEASE, spared=[]):
            send_notification(notification, send)
