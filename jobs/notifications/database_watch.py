"""Alert operators directly that the database is down: the outbox is in it.

Each dispatcher does this by itself.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from uuid import uuid4

import structlog

from jobs.errors import Undelivered
from jobs.models import Alert, Notification
from jobs.notifications.alerts import SENDS, alert_content, operator_addresses

log = structlog.get_logger(__name__)

DOWN_SECONDS = 30.0


class DatabaseWatch:
    """Sends a mail and a webhook when the database is down, and when it is up again."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._notified: set[Notification.Channel] = set()

    def failed(self) -> None:
        """Note that the database did not respond."""
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since >= DOWN_SECONDS:
            for channel in operator_addresses().keys() - self._notified:
                if self._send(channel, "It does not respond.", ended=False):
                    self._notified.add(channel)

    def worked(self) -> None:
        """Note that the database responds."""
        for channel in self._notified:
            self._send(channel, "It responds again.", ended=True)
        self._since, self._notified = None, set()

    def _send(self, channel: Notification.Channel, sentence: str, *, ended: bool) -> bool:
        """Return False if the message could not be sent."""
        now = datetime.now().astimezone()
        alert = Alert(
            rule="dependency-down",
            subject="database",
            sentence=sentence,
            since=now - timedelta(seconds=time.monotonic() - (self._since or time.monotonic())),
            resolved_at=now if ended else None,
        )
        message = Notification(
            pk=uuid4(),
            channel=channel,
            to=operator_addresses()[channel],
            content={"alert": alert_content(alert)},
        )
        try:
            SENDS[channel](message)
        except Undelivered as error:
            log.warning("operators could not be alerted", channel=channel, error=str(error))
            return False
        return True
