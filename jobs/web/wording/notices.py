"""Who was told of a job's end, and whether they heard of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.models import Notification
from jobs.states import Status
from jobs.web.wording.numbers import moment
from jobs.web.wording.status_text import FINAL_LOOKS, WORDS

State = Notification.State


@dataclass(frozen=True)
class Notice:
    """One message. `look` and `word` are of how it stands, `about` of what it tells."""

    notification: Notification
    look: str
    word: str
    about: str
    to: str
    at: datetime
    when: str
    error: str


def notice(notification: Notification, now: datetime) -> Notice:
    look, word = {
        State.WAITING: ("waiting", "Trying again") if notification.tries else ("queued", "Queued"),
        State.SENT: ("ready", "Sent"),
        State.FAILED: ("failed", "Not sent"),
    }[State(notification.state)]
    at = notification.sent_at or notification.created_at
    told = notification.content
    return Notice(
        notification=notification,
        look=look,
        word=word,
        about=f"{told['fileName']}: {WORDS[FINAL_LOOKS[Status(told['status'])]].lower()}",
        to=_to(notification),
        at=at,
        when=moment(at, now),
        error=notification.error,
    )


def _to(notification: Notification) -> str:
    if notification.channel == Notification.Channel.EMAIL:
        return f"Mail to {notification.to}"
    return f"Message to {notification.place}"
