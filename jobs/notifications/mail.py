"""Handing letters to the mail server, and what its answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from smtplib import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from jobs.errors import Undelivered
from jobs.models import Notification
from jobs.notifications.letters import letter_of

OFF = "Mail is turned off here: EMAIL_URL is not set."
NO_ADDRESS = "The account has no mail address."


def send(notification: Notification) -> None:
    """Raises Undelivered."""
    if not settings.MAIL_IS_ON:
        raise Undelivered(OFF, for_good=True)
    if not notification.to:
        raise Undelivered(NO_ADDRESS, for_good=True)
    letter = letter_of(notification)
    mail = EmailMultiAlternatives(
        letter.subject,
        letter.text,
        to=notification.to.split(", "),
        alternatives=[(letter.html, "text/html")],
        headers={
            # The same each time: who gets it twice can tell.
            "Message-ID": f"<{notification.pk}@{urlsplit(settings.BASE_URL).hostname}>",
            "Auto-Submitted": "auto-generated",  # no machine answers it: RFC 3834
            "X-Auto-Response-Suppress": "All",  # nor Exchange
        },
    )
    with _undelivered():
        mail.send()


@contextmanager
def _undelivered() -> Iterator[None]:
    """What the way to the mail server and its answers raise, as Undelivered."""
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
        raise Undelivered("The mail server broke off or fell silent.") from error
    except SMTPResponseException as error:  # also of a wrong password: an operator will mend it
        raise Undelivered(f"The mail server answers {error.smtp_code}.") from error
    except SMTPException as error:
        raise Undelivered("The mail server cannot do what EMAIL_URL asks of it.") from error
    except OSError as error:
        raise Undelivered("The mail server cannot be reached.") from error
    except ValueError as error:
        raise Undelivered("The mail address cannot be written to.", for_good=True) from error


def _refused(what: str, code: int) -> Undelivered:
    """A code from 500 on is meant to last."""
    return Undelivered(f"The mail server refuses the {what} ({code}).", for_good=code >= 500)
