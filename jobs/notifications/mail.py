"""Send mails, and turn the mail server's errors into Undelivered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.charset import QP, Charset
from email.headerregistry import Address
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8
from smtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from typing import Any

import django
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend

from jobs.errors import Undelivered
from jobs.models import Notification
from jobs.notifications.letters import Letter, letter_of
from jobs.notifications.mailboxes import mailbox_message_id, parse_mail_address

OFF = "Email is not set up on this server: EMAIL_URL is not set."
NO_ADDRESS = "The account has no email address."
BAD_ADDRESS = "The email address is not valid."
BAD_LOGIN = "The user or password in EMAIL_URL has characters outside ASCII."
NO_UTF8 = "The mail server does not accept addresses outside ASCII (no SMTPUTF8)."
# What is 8-bit is refused by servers without 8BITMIME, and all refuse lines beyond 998 bytes.
QUOTED_PRINTABLE = Charset("utf-8")  # before Django 6.0
QUOTED_PRINTABLE.body_encoding = QP
SEVEN_BIT = SMTP_POLICY.clone(cte_type="7bit")  # from Django 6.0 on


def send_mail_message(notification: Notification) -> None:
    """Send the mail. Raises Undelivered."""
    send_letter(letter_of(notification), notification.to, notification.pk)


def send_letter(letter: Letter, to: str, unique: object) -> None:
    """Send a letter to addresses that ", " separates. Raises Undelivered.

    `unique` is what its Message-ID is made of.
    """
    if not settings.MAIL_IS_ON:
        raise Undelivered(OFF, for_good=True)
    if not to:
        raise Undelivered(NO_ADDRESS, for_good=True)
    try:
        recipients = [parse_mail_address(each) for each in to.split(", ")]
    except ValueError as error:
        raise Undelivered(BAD_ADDRESS, for_good=True) from error
    sender = parse_mail_address(settings.DEFAULT_FROM_EMAIL)
    with _undelivered(), get_connection() as connection:
        server = connection.connection if isinstance(connection, EmailBackend) else None
        if server and not _takes_utf8(server):
            recipients = _in_ascii(sender, recipients)
        mail = _mail(letter, sender, recipients, unique)
        if server and not _are_ascii(sender, *recipients):
            _send_as_utf8(server, mail, sender, recipients)
        else:
            connection.send_messages([mail])


def _takes_utf8(server: SMTP) -> bool:
    server.ehlo_or_helo_if_needed()
    return server.has_extn("smtputf8")


def _in_ascii(sender: Address, recipients: list[Address]) -> list[Address]:
    """Return the addresses that work without SMTPUTF8. Raises Undelivered if there are none."""
    found = [each for each in recipients if _are_ascii(sender, each)]
    if not found:
        raise Undelivered(NO_UTF8, for_good=True)
    return found


def _are_ascii(*addresses: Address) -> bool:
    return all(each.addr_spec.isascii() for each in addresses)


def _mail(letter: Letter, sender: Address, recipients: list[Address], unique: object) -> _Mail:
    return _Mail(
        letter.subject,
        letter.text,
        str(sender),
        [str(each) for each in recipients],
        alternatives=[(letter.html, "text/html")],
        headers={
            # The same each time: who gets it twice can tell.
            "Message-ID": mailbox_message_id(unique, settings.BASE_URL),
            "Auto-Submitted": "auto-generated",  # no machine answers it: RFC 3834
            "X-Auto-Response-Suppress": "All",  # nor Exchange
        },
    )


class _Mail(EmailMultiAlternatives):
    """A mail whose bodies have 7 bits."""

    if django.VERSION < (6,):
        encoding = QUOTED_PRINTABLE
    else:

        def message(self, **_: Any) -> Any:
            """Return the message for SMTP servers, whatever the backend asks for."""
            return super().message(policy=SEVEN_BIT)


def _send_as_utf8(server: SMTP, mail: _Mail, sender: Address, recipients: list[Address]) -> None:
    """Send the mail with SMTPUTF8 (RFC 6531), for addresses that ASCII cannot express."""
    message = message_from_bytes(mail.message().as_bytes(), policy=SMTPUTF8)
    message.replace_header("From", str(sender))
    message.replace_header("To", ", ".join(map(str, recipients)))
    server.sendmail(
        sender.addr_spec,
        [each.addr_spec for each in recipients],
        message.as_bytes(),
        # RFC 6531 wants 8BITMIME beside SMTPUTF8; a server that lacks it refuses the word.
        mail_options=["SMTPUTF8", *(["BODY=8BITMIME"] if server.has_extn("8bitmime") else [])],
    )


@contextmanager
def _undelivered() -> Iterator[None]:
    """Turn errors of the connection and of the mail server into Undelivered."""
    try:
        yield
    except SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _refused("recipient", min(codes)) from error
    except SMTPSenderRefused as error:
        raise _refused("sender", error.smtp_code) from error
    except SMTPDataError as error:
        raise _refused("mail", error.smtp_code) from error
    except SMTPServerDisconnected as error:
        raise Undelivered("The mail server closed the connection or did not respond.") from error
    except SMTPResponseException as error:  # a wrong password, too: an operator can fix it
        raise Undelivered(f"The mail server returned {error.smtp_code}.") from error
    except SMTPException as error:
        raise Undelivered("The mail server does not support what EMAIL_URL requires.") from error
    except OSError as error:
        raise Undelivered("The mail server could not be reached.") from error
    except UnicodeError as error:  # nothing else that is sent can raise it
        raise Undelivered(BAD_LOGIN) from error


def _refused(what: str, code: int) -> Undelivered:
    """Return Undelivered. SMTP codes from 500 on are permanent."""
    return Undelivered(f"The mail server refused the {what} ({code}).", for_good=code >= 500)
