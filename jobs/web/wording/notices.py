"""Mails and webhooks about finished jobs and the account, and whether they were delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.models import AccountNotice, Notification
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
    attempts: str
    error: str
    response: str  # of the receiver of a webhook: "200 in 0.1 s"
    can_resend: bool


def notice_texts(notification: Notification, now: datetime) -> Notice:
    """Return the texts about one mail or webhook."""
    icon, word = {
        State.WAITING: ("waiting", "Retrying") if notification.tries else ("queued", "Queued"),
        State.SENT: ("ready", "Sent"),
        State.FAILED: ("failed", "Failed"),
    }[State(notification.state)]
    at = notification.sent_at or notification.created_at
    return Notice(
        notification=notification,
        icon=icon,
        word=word,
        about=_about(notification),
        to=_to(notification),
        at=at,
        when=moment_text(at, now),
        attempts=_attempts(notification),
        error=notification.error,
        response=_response(notification),
        can_resend=notification.channel == Notification.Channel.WEBHOOK
        and notification.state != State.WAITING,
    )


def _about(notification: Notification) -> str:
    content = notification.content
    if notification.channel == Notification.Channel.ACCOUNT:
        return str(AccountNotice(content["notice"]).label)
    if "test" in content:
        return "Test"
    return f"{content['fileName']}: {_word(content).lower()}"


def _word(content: dict[str, Any]) -> str:
    return word_of(FINAL_ICONS[Status(content["status"])], has_file="size" in content)


def _attempts(notification: Notification) -> str:
    return "1 attempt" if notification.tries == 1 else f"{notification.tries} attempts"


def _response(notification: Notification) -> str:
    if not (status := notification.response_status):
        return ""
    return f"{status} in {notification.response_seconds or 0:.2f}\N{NO-BREAK SPACE}s"


def _to(notification: Notification) -> str:
    if notification.channel in (Notification.Channel.EMAIL, Notification.Channel.ACCOUNT):
        return f"Email to {notification.to}"
    return f"Webhook to {notification.place}"
