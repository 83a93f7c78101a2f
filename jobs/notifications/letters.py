"""What a mail says, as text and as HTML. From the row's content alone: nothing is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from jobs.lib.names import MISLEADING
from jobs.models import Notification
from jobs.states import Status
from jobs.web.wording import KINDS, seconds, size_of
from jobs.web.wording.status_text import ASK_OPERATOR

SUBJECT_CHARS, NAME_CHARS = 60, 120
SHOWN_CODES = 4  # in a subject
ENDINGS = {
    Status.COMPLETED: "is ready",
    Status.FAILED: "could not be made",
    Status.CANCELLED: "was cancelled",
}
FAILURES = {"remote": "could not be fetched", "upload": "was not accepted"}  # by kind
WORDS = {Status.COMPLETED: "Ready", Status.CANCELLED: "Cancelled"}
CANCELLED = "An operator cancelled it. Nothing was kept."
RUN_AGAIN = "You can run it again from its page."


@dataclass(frozen=True)
class Letter:
    subject: str
    text: str
    html: str


def letter_of(notification: Notification) -> Letter:
    if notification.channel == Notification.Channel.OPERATORS:
        return _to_operators(notification.content)
    return _to_owner(notification.content)


def _to_owner(told: dict[str, Any]) -> Letter:
    status = Status(told["status"])
    name = one_line(told["fileName"])
    ending = ENDINGS[status]
    if status == Status.FAILED:
        ending = FAILURES.get(told["kind"], ending)
    return _letter(
        "job",
        f"{shortened(name, SUBJECT_CHARS)} {ending}",
        look=status.value,
        name=shortened(name, NAME_CHARS),
        ending=ending,
        word=WORDS.get(status, ending[0].upper() + ending[1:]),
        sentences=_sentences(told, status),
        facts=_facts(told),
        link=_address("job-page", told["jobId"]),
        settings_link=_address("settings"),
    )


def _sentences(told: dict[str, Any], status: Status) -> list[str]:
    if status == Status.FAILED:
        steps = KINDS[told["kind"]].next_steps
        return [one_line(told["error"]), steps.get(told["errorCode"], ASK_OPERATOR)]
    return [CANCELLED, RUN_AGAIN] if status == Status.CANCELLED else []


def _facts(told: dict[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if "size" in told:
        facts.append(("Size", size_of(told["size"])))
    if told.get("expiresAt"):
        facts.append(("Kept until", _moment(told["expiresAt"])))
    return [*facts, ("Asked for", _moment(told["createdAt"]))]


def _to_operators(told: dict[str, Any]) -> Letter:
    count = told["count"]
    subject = f"{count:,} download{'s' if count != 1 else ''} failed: {_codes(told['codes'])}"
    examples = [
        {
            "name": shortened(one_line(each["fileName"]), NAME_CHARS),
            "code": each["errorCode"],
            "link": _address("admin:jobs_downloadjob_change", each["jobId"]),
        }
        for each in told["examples"]
    ]
    return _letter(
        "operators",
        subject,
        look="failed",
        count=count,
        since=_moment(told["since"]),
        codes=told["codes"],
        examples=examples,
        every=seconds(settings.OPERATOR_MAIL_EVERY_SECONDS),
        link=_address("admin:jobs_downloadjob_changelist") + "?status__exact=failed",
    )


def _codes(codes: list[dict[str, Any]]) -> str:
    """'remote_unavailable (2), timeout (1)'."""
    shown = [f"{each['code']} ({each['count']:,})" for each in codes[:SHOWN_CODES]]
    return ", ".join([*shown, "…"] if len(codes) > SHOWN_CODES else shown)


def _letter(template: str, subject: str, **context: Any) -> Letter:
    context["subject"] = subject
    text = render_to_string(f"mail/{template}.txt", context)
    return Letter(subject, text.strip() + "\n", render_to_string(f"mail/{template}.html", context))


def _address(page: str, *args: str) -> str:
    return settings.BASE_URL + reverse(page, args=args)


def one_line(text: str) -> str:
    """Return the text without what ends a line or turns its direction; each blank is a space."""
    return " ".join(MISLEADING.sub(" ", text).split())


def shortened(text: str, most_chars: int) -> str:
    """Its beginning and its end, which says what kind of file it is."""
    if len(text) <= most_chars:
        return text
    tail = most_chars // 4
    return f"{text[: most_chars - tail - 1].rstrip()}…{text[-tail:].lstrip()}"


def _moment(told: str) -> str:
    """'21 December 2026, 14:31 UTC'."""
    at = timezone.localtime(datetime.fromisoformat(told))
    return f"{at.day} {at:%B %Y, %H:%M %Z}"
