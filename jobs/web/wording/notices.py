"""Mails and webhooks about finished jobs, and whether they were delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.models import Notification
from jobs.states import Status
from jobs.web.wording.status_icon import FINAL_ICONS, word_of
from jobs.web.wording.time_text import moment_text

State = Notification.State


@dataclass(frozen=True)
class Notice:
    """A mail or webhook: `icon` and `word` are its status, `about` its subject."""

    notification: Notification
    icon: str
    word: str
    about: str
    to: str
    at: datetime
    when: str
    error: str


def notice_texts(notification: Notification, now: datetime) -> Notice:
    """Return the texts about one mail or webhook."""
    icon, word = {
        State.WAITING: ("waiting", "Retrying") if notification.tries else ("queued", "Queued"),
        State.SENT: ("ready", "Sent"),
        State.FAILED: ("failed", "Failed"),
    }[State(notification.state)]
    at = notification.sent_at or notification.created_at
    content = notification.content
    return Notice(
        notification=notification,
        icon=icon,
        word=word,
        about=f"{content['fileName']}: {_word(content).lower()}",
        to=_to(notification),
        at=at,
        when=moment_text(at, now),
        error=notification.error,
    )


def _word(content: dict[str, Any]) -> str:
    return word_of(FINAL_ICONS[Status(content["status"])], has_file="size" in content)


def _to(notification: Notification) -> str:
    if notification.channel == Notification.Channel.EMAIL:
        return f"Email to {notification.to}"
    return f"Webhook to {notification.place}"
