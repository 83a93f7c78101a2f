"""Send the mails and webhooks in the outbox.

Each is sent at least once, always with the same id, and a job never waits for it. The content is in
the row, as it was when the job ended; only a webhook's signing secret is looked up.
"""

from jobs.notifications.alerts import check_alerts, stand_in_for_dispatchers
from jobs.notifications.database_watch import DatabaseWatch
from jobs.notifications.operators import notify_operators
from jobs.notifications.senders import Sender, send_notification, senders
from jobs.notifications.webhook import send_test_webhook

__all__ = [
    "DatabaseWatch",
    "Sender",
    "check_alerts",
    "notify_operators",
    "send_notification",
    "send_test_webhook",
    "senders",
    "stand_in_for_dispatchers",
]
