"""E-mails about the end of a job, as a real mail server receives them."""

from __future__ import annotations

import re
from collections.abc import Callable
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import DownloadJob, Notification
from jobs.notifications.senders import LEASE
from jobs.states import Status
from tests.notifications.outbox import ENDS, SITE, attempt, completed, failed, only, wait_seconds
from tests.notifications.smtp import MailServer

pytestmark = pytest.mark.django_db(transaction=True)  # outcomes are recorded outside transactions

State = Notification.State


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part
    return str(part.get_content())


def test_a_mail_has_a_working_link(post: MailServer, alice: User, client: Client) -> None:
    job = completed(alice, email=True)

    row = attempt(only(job))

    (mail,) = post.mails
    assert (row.state, row.error) == (State.SENT, "")
    assert row.sent_at
    assert post.recipients == ["alice@example.com"]
    assert mail["To"] == "alice@example.com"
    assert mail["Subject"] == "2 files.zip is ready"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{row.pk}@downloads.example.com>"
    assert mail["Date"]
    links = [re.findall(r"https://[^\s\"]+/downloads/[^\s\"]+", body(mail))[0] for body in BODIES]
    assert links == [f"{SITE}/downloads/{job.pk}"] * 2
    client.force_login(alice)
    assert client.get(urlsplit(links[0]).path).status_code == 200


BODIES: list[Callable[[EmailMessage], str]] = [text_of, html_of]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", ENDS)
def test_a_mail_has_no_storage_urls_and_no_external_content(
    post: MailServer, alice: User, status: Status, body: Any, settings: Any
) -> None:
    attempt(only(ENDS[status](alice, email=True)))

    said = body(post.mails[0])

    assert set(re.findall(r"https?://[^/\s\"]+", said)) == {SITE}
    assert "X-Amz" not in said
    assert urlsplit(settings.S3_PUBLIC_ENDPOINT_URL).netloc not in said
    assert not re.search(r"<(img|link|script|iframe)|url\(|@import", said)


def test_each_outcome_has_its_text(post: MailServer, alice: User) -> None:
    for status in ENDS:
        attempt(only(ENDS[status](alice, email=True)))

    subjects = [mail["Subject"] for mail in post.mails]
    assert subjects == [
        "2 files.zip is ready",
        "2 files.zip could not be created",
        "2 files.zip was cancelled",
    ]
    ready, broken, gone = map(text_of, post.mails)
    assert ("Size: 5\N{NO-BREAK SPACE}B" in ready, "Kept until: " in ready) == (True, True)
    assert "It took longer than 300 s." in broken
    assert "Choose fewer files, or retry later." in broken
    assert "An operator cancelled it." in gone
    assert all(f"{SITE}/settings" in body(mail) for mail in post.mails for body in BODIES)


def test_a_mail_describes_the_outcome_not_later_changes(
    post: MailServer, alice: User, broker: Any
) -> None:
    job = failed(alice, email=True)
    DownloadJob.objects.update(name="other.zip", error="Another.")

    attempt(only(job))

    assert post.mails[0]["Subject"] == "2 files.zip could not be created"
    assert "Another." not in text_of(post.mails[0])


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("a\r\nBcc: eve@example.com.zip", "a Bcc: eve@example.com.zip is ready"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj.zip", "gpj.zip is ready"),
        ("Übersicht – März.zip", "Übersicht – März.zip is ready"),
        ("x\N{ZERO WIDTH NON-JOINER}y.zip", "x\N{ZERO WIDTH NON-JOINER}y.zip is ready"),
        ("👩\N{ZERO WIDTH JOINER}🚀.zip", "👩\N{ZERO WIDTH JOINER}🚀.zip is ready"),
        ("a\N{LINE SEPARATOR}b.zip", "a b.zip is ready"),
        ("x" * 196 + ".zip", "x" * 44 + "…" + "x" * 11 + ".zip is ready"),
        ("<b>&amp;</b>.zip", "<b>&amp;</b>.zip is ready"),
    ],
)
def test_a_name_may_have_any_characters(
    post: MailServer, alice: User, name: str, subject: str
) -> None:
    row = attempt(only(completed(alice, email=True, name=name)))

    (mail,) = post.mails
    assert row.state == State.SENT
    assert mail["Subject"].strip() == subject  # it may have been folded
    assert mail["Bcc"] is None
    assert post.recipients == ["alice@example.com"]
    assert "<b>" not in html_of(mail)
    assert text_of(mail).startswith(subject.split("xxx")[0])


@pytest.mark.parametrize(
    "name", ["two.zip", "Übersicht – März.zip", "报告🙂" * 12 + ".zip", "x" * 200]
)
@pytest.mark.parametrize("takes_8_bits", [True, False])
def test_a_mail_is_7_bit_with_short_lines(
    post: MailServer, alice: User, name: str, takes_8_bits: bool
) -> None:
    post.takes_8_bits = takes_8_bits

    row = attempt(only(completed(alice, email=True, name=name)))

    assert (row.state, row.error) == (State.SENT, "")
    (raw,), (mail,) = post.raw, post.mails
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 80
    parts = [part for part in mail.walk() if not part.is_multipart()]
    # Django 6.0 takes the shorter one.
    codings = {part["Content-Transfer-Encoding"] for part in parts}
    assert codings <= {"quoted-printable", "base64"}
    assert "\N{NO-BREAK SPACE}B" in text_of(mail)


@pytest.mark.parametrize(
    ("site", "right_side"),
    [
        ("http://[::1]:8000", "[IPv6:::1]"),
        ("http://[FE80:0::1]", "[IPv6:fe80::1]"),
        ("http://127.0.0.1:8000", "[127.0.0.1]"),
        ("https://Downloads.Example.com.", "downloads.example.com"),
        ("https://a_b", "a_b"),
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("https://a(b)c", "downloads.invalid"),
        ("https://a..b", "downloads.invalid"),
        ("https://" + "a" * 60 + ".example", "a" * 60 + ".example"),
    ],
)
def test_message_ids_have_a_valid_domain(
    settings: Any, post: MailServer, alice: User, site: str, right_side: str
) -> None:
    settings.BASE_URL = site

    row = attempt(only(completed(alice, email=True)))

    assert post.mails[0]["Message-ID"].strip() == f"<{row.pk}@{right_side}>"


@pytest.mark.parametrize(
    ("address", "recipient"),
    [
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("alice@straße.example", "alice@xn--strae-oqa.example"),
        ("alice@[127.0.0.1]", "alice@[127.0.0.1]"),
        ("alice@[IPv6:::1]", "alice@[IPv6:::1]"),
        ('"a. b"@example.com', '"a. b"@example.com'),
        ("Alice+x@Example.com", "Alice+x@Example.com"),
        ("o'hara/e@example.com", "o'hara/e@example.com"),
    ],
)
@pytest.mark.parametrize("takes_utf8", [True, False])
def test_an_idna_address_needs_no_extension(
    post: MailServer, alice: User, address: str, recipient: str, takes_utf8: bool
) -> None:
    post.takes_utf8 = takes_utf8
    alice.email = address
    alice.save()

    row = attempt(only(completed(alice, email=True)))

    assert (row.state, row.error) == (State.SENT, "")
    assert post.recipients == [recipient]
    assert post.mails[0]["To"] == recipient
    assert "SMTPUTF8" not in post.options[0]


@pytest.mark.parametrize("takes_8_bits", [True, False])
@pytest.mark.parametrize(
    "address", ["пётр@example.com", "пётр@почта.example", "用户@bücher.example"]
)
def test_an_address_outside_ascii_is_unchanged(
    post: MailServer, alice: User, address: str, takes_8_bits: bool
) -> None:
    post.says_8_bits = takes_8_bits
    alice.email = address
    alice.save()

    row = attempt(only(completed(alice, email=True, name="Übersicht.zip")))

    assert (row.state, row.error) == (State.SENT, "")
    (recipient,), (mail,) = post.recipients, post.mails
    local_part, domain = address.split("@")
    assert recipient == f"{local_part}@{domain.encode('idna').decode()}"
    assert f"To: {recipient}\r\n".encode() in post.raw[0]
    assert "SMTPUTF8" in post.options[0]
    assert ("BODY=8BITMIME" in post.options[0]) == takes_8_bits
    assert mail["Subject"].strip() == "Übersicht.zip is ready"
    assert mail["Message-ID"] == f"<{row.pk}@downloads.example.com>"


def test_an_address_outside_ascii_that_the_server_cannot_take_is_parked(
    post: MailServer, alice: User
) -> None:
    post.takes_utf8 = False
    alice.email = "пётр@example.com"
    alice.save()

    row = attempt(only(completed(alice, email=True)))

    assert row.state == State.FAILED
    assert row.error == "The mail server does not accept addresses outside ASCII (no SMTPUTF8)."
    assert post.recipients == []


def test_operators_with_accepted_addresses_are_mailed(
    post: MailServer, alice: User, settings: Any
) -> None:
    post.takes_utf8 = False
    settings.OPERATOR_EMAILS = ["пётр@example.com", "ann@example.com"]
    row = only(completed(alice, email=True))
    row.to = ", ".join(settings.OPERATOR_EMAILS)
    row.save()

    assert attempt(row).state == State.SENT

    assert post.recipients == ["ann@example.com"]
    assert post.mails[0]["To"] == "ann@example.com"


@pytest.mark.parametrize(
    "sender",
    [
        "Downloads <d@example.com>",
        "Zoë" + 20 * " Übersee" + " <d@example.com>",
        '"Downloads, for all" <d@example.com>',
        '"Übersee, für alle" <d@example.com>',
        "<d@example.com>",
        "d@example.com",
    ],
)
def test_the_sender_may_have_any_name(
    settings: Any, post: MailServer, alice: User, sender: str
) -> None:
    settings.DEFAULT_FROM_EMAIL = sender

    row = attempt(only(completed(alice, email=True)))

    assert (row.state, row.error) == (State.SENT, "")
    header = message_from_bytes(post.raw[0])["From"]  # not decoded: the new parser adds spaces
    seen, address = parseaddr(header)
    name = str(make_header(decode_header(seen)))
    assert (name, address) == parseaddr(sender)
    assert post.senders == ["d@example.com"]


@pytest.mark.parametrize("login", ["ünal:secret", "unal:sécret"])
def test_a_login_outside_ascii_is_reported(
    settings: Any, post: MailServer, alice: User, login: str
) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = login.split(":")

    row = attempt(only(completed(alice, email=True)))

    assert row.state == State.WAITING
    assert row.error == "The user or password in EMAIL_URL has characters outside ASCII."


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"refusals": ["451 later"]}, "The mail server refused the recipient (451)."),
        ({"objections": ["450 later"]}, "The mail server refused the sender (450)."),
        ({"verdicts": ["452 full"]}, "The mail server refused the mail (452)."),
        ({"verdicts": ["421 bye"]}, "The mail server refused the mail (421)."),
        (
            {"verdicts": [MailServer.CUT]},
            "The mail server closed the connection or did not respond.",
        ),
    ],
)
def test_temporary_errors_are_retried_with_the_same_id(
    post: MailServer, alice: User, answers: dict[str, list[str]], error: str
) -> None:
    job = completed(alice, email=True)
    vars(post).update(answers)

    row = attempt(only(job))

    assert (row.state, row.error, row.tries) == (State.WAITING, error, 1)
    assert wait_seconds(row) == 60
    assert attempt(row).state == State.SENT
    assert {mail["Message-ID"] for mail in post.mails} == {f"<{row.pk}@downloads.example.com>"}
    assert post.recipients[-1] == "alice@example.com"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"refusals": ["550 no such user"]}, "The mail server refused the recipient (550)."),
        ({"verdicts": ["554 spam"]}, "The mail server refused the mail (554)."),
        ({"objections": ["553 not yours"]}, "The mail server refused the sender (553)."),
    ],
)
def test_permanent_errors_are_parked(
    post: MailServer, alice: User, answers: dict[str, list[str]], error: str
) -> None:
    job = completed(alice, email=True)
    before = job.version
    vars(post).update(answers)

    row = attempt(only(job))

    assert (row.state, row.error, row.tries) == (State.FAILED, error, 1)
    assert Notification.objects.take(row.channel, lease=LEASE, spared=[]) is None
    job.refresh_from_db()
    assert (job.status, job.version) == (Status.COMPLETED, before)


def test_a_mail_server_that_is_down_is_tried_five_times(
    settings: Any, post: MailServer, alice: User
) -> None:
    row = only(completed(alice, email=True))
    settings.EMAIL_PORT = 1

    waited = [wait_seconds(attempt(row)) for _ in range(4)]
    last = attempt(row)

    assert waited == [60, 300, 1800, 7200]
    assert (last.state, last.tries) == (State.FAILED, 5)
    assert last.error == "The mail server could not be reached."


def test_a_mail_server_that_hangs_is_given_up(settings: Any, post: MailServer, alice: User) -> None:
    settings.EMAIL_TIMEOUT = 0.2
    post.verdicts = [MailServer.HOLD]

    row = attempt(only(completed(alice, email=True)))

    assert (row.state, row.error) == (
        State.WAITING,
        "The mail server closed the connection or did not respond.",
    )
    post.release()
    assert attempt(row).state == State.SENT


def test_a_missing_address_is_recorded_on_the_row(post: MailServer, bob: User) -> None:
    row = attempt(only(completed(bob, email=True)))

    assert (row.state, row.error) == (State.FAILED, "The account has no email address.")
    assert post.recipients == []


def test_an_invalid_address_is_parked(post: MailServer, alice: User) -> None:
    alice.email = "alice@example.com\r\nBcc: eve@example.com"
    alice.save()

    row = attempt(only(completed(alice, email=True)))

    assert (row.state, row.error) == (State.FAILED, "The email address is not valid.")
    assert post.recipients == []


def test_without_a_mail_server_nothing_breaks(settings: Any, alice: User) -> None:
    settings.MAIL_IS_ON = False

    row = attempt(only(completed(alice, email=True)))

    assert row.state == State.FAILED
    assert row.error == "Email is not set up on this server: EMAIL_URL is not set."


def test_a_bug_while_writing_a_mail_is_retried(post: MailServer, alice: User) -> None:
    job = completed(alice, email=True)
    Notification.objects.update(content={"status": "completed"})

    row = attempt(only(job))

    assert (row.state, row.error) == (State.WAITING, "Something went wrong on our side.")
