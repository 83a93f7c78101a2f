"""The text and HTML of mails, from the content of an outbox row alone: without a query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from jobs.kinds.registry import KINDS
from jobs.lib.names import MISLEADING
from jobs.models import Notification
from jobs.notifications.alert_rules import runbook_path
from jobs.states import Status
from jobs.web.wording import duration_text, file_size_text, next_step

SUBJECT_CHARS, NAME_CHARS = 60, 120
SHOWN_CODES = 4  # in a subject
ENDINGS = {
    Status.COMPLETED: "is ready",
    Status.CANCELLED: "was cancelled",
}
WORDS = {Status.COMPLETED: "Ready", Status.CANCELLED: "Cancelled"}
COLORS = {Status.COMPLETED: "#14713d", Status.FAILED: "#b5302d", Status.CANCELLED: "#5b5d63"}
CANCELLED = "An operator cancelled it."
NOT_KEPT = "No file was kept."
RETRY = "You can retry it from its page."


@dataclass(frozen=True)
class Letter:
    subject: str
    text: str
    html: str


def letter_of(notification: Notification) -> Letter:
    """Return the mail for an owner or for operators."""
    if notification.channel == Notification.Channel.OPERATORS:
        return _to_operators(notification.content)
    if notification.channel == Notification.Channel.ALERT:
        return _alert(notification.content["alert"])
    return _to_owner(notification.content)


def _to_owner(content: dict[str, Any]) -> Letter:
    status = Status(content["status"])
    name = letter_line(content["fileName"])
    makes_file = KINDS[content["kind"]].makes_file
    ending, word = _outcome(content["kind"], status)
    return render_letter(
        "job",
        f"{shorten_letter_name(name, SUBJECT_CHARS)} {ending}",
        status=status.value,
        color=COLORS[status],
        name=shorten_letter_name(name, NAME_CHARS),
        ending=ending,
        word=word,
        has_file=status == Status.COMPLETED and makes_file,
        sentences=_sentences(content, status, makes_file=makes_file),
        facts=_facts(content),
        link=page_address("job-page", content["jobId"]),
        settings_link=page_address("settings"),
    )


def _outcome(kind: str, status: Status) -> tuple[str, str]:
    """Return the end of the subject, 'is ready', and the word above the name, 'Ready'."""
    if status == Status.COMPLETED and not KINDS[kind].makes_file:
        return "is done", "Done"
    ending = ENDINGS.get(status, KINDS[kind].failed_text)
    return ending, WORDS.get(status, ending[0].upper() + ending[1:])


def _sentences(content: dict[str, Any], status: Status, *, makes_file: bool) -> list[str]:
    if status == Status.FAILED:
        step = next_step(content["kind"], content["errorCode"])
        return [letter_line(content["error"]), step]
    if status == Status.CANCELLED:
        return [f"{CANCELLED} {NOT_KEPT}" if makes_file else CANCELLED, RETRY]
    return []


def _facts(content: dict[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if "size" in content:
        facts.append(("Size", file_size_text(content["size"])))
    if content.get("expiresAt"):
        facts.append(("Kept until", _moment(content["expiresAt"])))
    return [*facts, ("Requested", _moment(content["createdAt"]))]


def _to_operators(content: dict[str, Any]) -> Letter:
    count = content["count"]
    subject = f"{count:,} download{'s' if count != 1 else ''} failed: {_codes(content['codes'])}"
    examples = [
        {
            "name": shorten_letter_name(letter_line(each["fileName"]), NAME_CHARS),
            "code": each["errorCode"],
            "link": page_address("admin:jobs_downloadjob_change", each["jobId"]),
        }
        for each in content["examples"]
    ]
    return render_letter(
        "operators",
        subject,
        status="failed",
        count=count,
        since=_moment(content["since"]),
        codes=content["codes"],
        examples=examples,
        every=duration_text(settings.OPERATOR_MAIL_EVERY_SECONDS),
        link=page_address("admin:jobs_downloadjob_changelist") + "?status__exact=failed",
    )


def _alert(content: dict[str, Any]) -> Letter:
    """Return the mail about an alert that fires or is resolved."""
    title = f"{content['title']}: {content['subject']}" if content["subject"] else content["title"]
    since, ended = content["since"], content["resolvedAt"]
    return render_letter(
        "alert",
        f"{'Resolved' if ended else 'Alert'}: {letter_line(title)}",
        status="completed" if ended else "failed",
        title=letter_line(title),
        sentence=content["sentence"],
        since=_moment(since),
        ended=_moment(ended) if ended else "",
        runbook=runbook_path(content["rule"]),
        link=page_address("admin:index"),
    )


def _codes(codes: list[dict[str, Any]]) -> str:
    """Return 'remote_unavailable (2), timeout (1)'."""
    shown = [f"{each['code']} ({each['count']:,})" for each in codes[:SHOWN_CODES]]
    return ", ".join([*shown, "…"] if len(codes) > SHOWN_CODES else shown)


def render_letter(template: str, subject: str, **context: Any) -> Letter:
    context["subject"] = subject
    text = render_to_string(f"mail/{template}.txt", context)
    return Letter(subject, text.strip() + "\n", render_to_string(f"mail/{template}.html", context))


def page_address(page: str, *args: str) -> str:
    return settings.BASE_URL + reverse(page, args=args)


def letter_line(text: str) -> str:
    """Return the text on one line, without characters that change its direction."""
    return " ".join(MISLEADING.sub(" ", text).split())


def shorten_letter_name(text: str, most_chars: int) -> str:
    """Return the beginning and the end of the text, which has a file's suffix."""
    if len(text) <= most_chars:
        return text
    tail = most_chars // 4
    return f"{text[: most_chars - tail - 1].rstrip()}…{text[-tail:].lstrip()}"


def _moment(iso: str) -> str:
    """Return '21 December 2026, 14:31 UTC'."""
    at = timezone.localtime(datetime.fromisoformat(iso))
    return f"{at.day} {at:%B %Y, %H:%M %Z}"
