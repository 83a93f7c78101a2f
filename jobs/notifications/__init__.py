"""From a row of the outbox to whom it concerns: mails and webhooks.

Each is sent at least once, always under the same id, and a job never waits for it. What it tells
is in the row, as it was when the job ended; only the address of a webhook's secret is looked up.
"""

from jobs.notifications.operators import notify_operators
from jobs.notifications.senders import Sender, deliver, senders

__all__ = ["Sender", "deliver", "notify_operators", "senders"]
