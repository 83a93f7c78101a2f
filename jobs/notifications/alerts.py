"""Notify operators when an alert fires and when it is resolved. See alert_rules.py.

Dispatchers call `check_alerts`. If none is running, workers do: see `stand_in_for_dispatchers`.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import transaction

from jobs.errors import Undelivered
from jobs.lib.database import try_transaction_lock
from jobs.models import Alert, Notification, ServiceProcess
from jobs.notifications import mail, webhook
from jobs.notifications.alert_rules import (
    RULE_BY_NAME,
    FiringAlerts,
    ServiceState,
    find_firing_alerts,
)
from jobs.notifications.senders import LEASE, send_notification

log = structlog.get_logger(__name__)

LOCK = (3, 0)
CLEAR_AFTER = timedelta(
    seconds=60
)  # of the rule not holding, so that an alert that flaps is sent once
DOWN_SECONDS = 30.0  # of the database


def are_alerts_on() -> bool:
    """Return whether anybody is alerted."""
    return bool(settings.OPERATOR_EMAILS or settings.OPERATOR_WEBHOOK)


def check_alerts() -> int:
    """Evaluate the rules, and queue messages to operators. Return how many."""
    if not are_alerts_on():
        return 0
    firing = find_firing_alerts(ServiceState())
    with transaction.atomic():
        now, is_locked = try_transaction_lock(LOCK)
        return len(_record(firing, now)) if is_locked else 0


def _record(firing: FiringAlerts, now: datetime) -> list[Notification]:
    """Bring the rows up to date. Return the messages that were queued."""
    messages: list[Notification] = []
    alerts = {
        (alert.rule, alert.subject): alert for alert in Alert.objects.filter(resolved_at=None)
    }
    for key in firing.keys() - alerts.keys():
        rule, subject = key
        alerts[key] = Alert(rule=rule, subject=subject, since=now)
    for key, alert in alerts.items():
        if key in firing:
            alert.sentence, alert.seen_at = firing[key], now
            if alert.notified_at is None and now - alert.since >= _notified_after(alert):
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
    channel = Notification.Channel
    messages = []
    if settings.OPERATOR_EMAILS:
        messages.append((channel.ALERT, ", ".join(settings.OPERATOR_EMAILS)))
    if settings.OPERATOR_WEBHOOK:
        messages.append((channel.WEBHOOK, settings.OPERATOR_WEBHOOK))
    return [
        Notification.objects.create(pk=uuid4(), channel=channel, to=to, content=content)
        for channel, to in messages
    ]


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
    if are_alerts_on() and not ServiceProcess.objects.responding().filter(role="dispatcher"):
        check_alerts()
        send_due_alerts()


def send_due_alerts() -> None:
    """Send the messages about alerts that are due, from this process."""
    ours = Notification.objects.filter(owner=None)
    for channel, send in (
        (Notification.Channel.ALERT, mail.send_mail_message),
        (Notification.Channel.WEBHOOK, webhook.send_webhook),
    ):
        while notification := ours.take(channel, lease=LEASE, spared=[]):
            send_notification(notification, send)


class DatabaseWatch:
    """Alerts operators directly that the database is down, and that it is up again.

    The outbox is in the database, so this mail is sent without it, by each dispatcher.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._is_notified = False

    def failed(self) -> None:
        """Note that the database did not respond."""
        self._since = self._since or time.monotonic()
        if not self._is_notified and time.monotonic() - self._since >= DOWN_SECONDS:
            self._is_notified = self._send("It does not respond.", ended=False)

    def worked(self) -> None:
        """Note that the database responds."""
        if self._is_notified:
            self._send("It responds again.", ended=True)
        self._since, self._is_notified = None, False

    def _send(self, sentence: str, *, ended: bool) -> bool:
        """Return False if the mail could not be sent."""
        if not settings.OPERATOR_EMAILS:
            return True
        now = datetime.now().astimezone()
        alert = Alert(
            rule="dependency-down", subject="database", sentence=sentence, since=now,
            resolved_at=now if ended else None,
        )  # fmt: skip
        try:
            mail.send_mail_message(
                Notification(
                    channel=Notification.Channel.ALERT,
                    to=", ".join(settings.OPERATOR_EMAILS),
                    content={"alert": alert_content(alert)},
                )
            )
        except Undelivered as error:
            log.warning("operators could not be alerted", error=str(error))
            return False
        return True
