"""Send the messages of the outbox, a few at once, in threads of the dispatcher.

Any number of dispatchers may run. If one dies during a try, another tries again when the lease has
expired. The receiver may get a message twice, with the same id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import close_old_connections, connection

from jobs.errors import Undelivered
from jobs.lib.database import retry_database_write
from jobs.models import Notification
from jobs.models.compiled import AnyRowsQuery
from jobs.notifications import account_mails, mail, webhook

log = structlog.get_logger(__name__)

Channel = Notification.Channel
Send = Callable[[Notification], None]  # raises Undelivered

BUG = "Something went wrong on our side."
# Longer than a try can take, which may reach EMAIL_TIMEOUT a dozen times.
LEASE = timedelta(minutes=5)


def senders() -> list[Sender]:
    """Return a sender for mail and one for webhooks, so that neither can delay the other."""
    return [
        Sender(
            "mail",
            {
                Channel.ALERT: mail.send_mail_message,
                Channel.ACCOUNT: account_mails.send_account_mail,
                Channel.OPERATORS: mail.send_mail_message,
                Channel.EMAIL: mail.send_mail_message,
            },
            at_once=4,
        ),
        Sender("webhooks", {Channel.WEBHOOK: webhook.send_webhook}, at_once=8),
    ]


class Sender:
    """Sends messages of some channels, one at a time for each owner, so slow ones block none."""

    def __init__(self, name: str, sends: dict[Channel, Send], *, at_once: int) -> None:
        self.name = name
        self._sends = sends
        self._at_once = at_once
        self._tries: dict[UUID, tuple[int | None, threading.Thread]] = {}  # running
        self._woken = threading.Event()
        self._due = AnyRowsQuery(Notification.objects.due(*sends))

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set. Then wait for the running tries."""
        while not stop.is_set():
            self._woken.clear()
            try:
                self.start_due()
            except Exception:
                log.exception("outbox not read", sender=self.name)
                close_old_connections()
            self._woken.wait(settings.DISPATCH_EVERY_SECONDS)
        connection.close()
        self.join()

    def wake(self) -> None:
        """Check at once for due messages, and whether to stop."""
        self._woken.set()

    def start_due(self) -> int:
        """Start to send due messages, up to the limit. Return how many."""
        started = 0
        if not any(self._due.exist()):  # the usual case
            return started
        while len(self._tries) < self._at_once and (found := self._take()):
            thread = threading.Thread(target=self._try, args=[found], name=self.name, daemon=True)
            self._tries[found.pk] = found.owner_id, thread
            thread.start()
            started += 1
        return started

    def join(self) -> None:
        """Wait for the running tries."""
        for _, thread in list(self._tries.values()):
            thread.join()

    def _take(self) -> Notification | None:
        owners = [owner_id for owner_id, _ in list(self._tries.values())]
        for channel in self._sends:
            if found := Notification.objects.take(channel, lease=LEASE, spared=owners):
                return found
        return None

    def _try(self, notification: Notification) -> None:
        try:
            send_notification(notification, self._sends[Channel(notification.channel)])
        except Exception:
            log.exception("outcome not recorded", notification_id=str(notification.pk))
        finally:
            connection.close()  # of this thread
            del self._tries[notification.pk]
            self.wake()


def send_notification(notification: Notification, send: Send) -> None:
    """Try to send a message, and record the outcome."""
    try:
        send(notification)
    except Undelivered as error:
        _record_failure(notification, error)
    except Exception:
        log.exception("sending broke", **_known(notification))
        _record_failure(notification, Undelivered(BUG))
    else:
        retry_database_write(notification.mark_sent)
        log.info("sent", **_known(notification))


def _record_failure(notification: Notification, error: Undelivered) -> None:
    delays = settings.NOTIFY_DELAYS_SECONDS
    is_last = error.for_good or notification.tries > len(delays)
    seconds = None if is_last else max(delays[notification.tries - 1], error.after_seconds)
    retry_database_write(partial(notification.mark_failed, str(error), retry_in_seconds=seconds))
    log.warning("not sent", **_known(notification), error=str(error), retry_in_seconds=seconds)


def _known(notification: Notification) -> dict[str, str | int]:
    return {
        "notification_id": str(notification.pk),
        "channel": notification.channel,
        "job_id": str(notification.job_id or ""),
        "tries": notification.tries,
    }
