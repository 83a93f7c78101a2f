"""Check the settings for mails and webhooks. Connects to nothing."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from jobs.notifications.mailboxes import NOT_ASCII, parse_mail_address

MAX_ADDRESSES_CHARS = 2_000  # of all operators, with commas: as much as a row holds


@register
def check_mail_base_url(**kwargs: Any) -> list[CheckMessage]:
    if _is_a_site(settings.BASE_URL):
        return []
    return [
        Error(
            f"BASE_URL ({settings.BASE_URL!r}) is not the address of a site: links in mails would"
            " lead nowhere.",
            hint="Set BASE_URL to scheme, host and port, as in https://downloads.example.com.",
            id="jobs.E020",
        )
    ]


@register
def check_mail_addresses(**kwargs: Any) -> list[CheckMessage]:
    named = {"EMAIL_FROM": [settings.DEFAULT_FROM_EMAIL]}
    named["OPERATOR_EMAILS"] = settings.OPERATOR_EMAILS
    return [
        Error(
            f"{name} has {text!r}, which is not an email address.",
            hint=f"Set {name} to addresses such as ann@example.com.",
            id="jobs.E022",
        )
        for name, texts in named.items()
        for text in texts
        if not _is_an_address(text) or len(", ".join(texts)) > MAX_ADDRESSES_CHARS
    ]


@register
def check_operator_mail_addresses(**kwargs: Any) -> list[CheckMessage]:
    if settings.MAIL_IS_ON or not settings.OPERATOR_EMAILS:
        return []
    return [
        Warning(
            "OPERATOR_EMAILS is set, but email is not: operators receive no mail.",
            hint="Set EMAIL_URL, or remove OPERATOR_EMAILS.",
            id="jobs.W011",
        )
    ]


@register
def check_mail_sender_domain(**kwargs: Any) -> list[CheckMessage]:
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    if not (settings.PRODUCTION and settings.MAIL_IS_ON and domain == "localhost"):
        return []
    return [
        Warning(
            "Mails are sent from an address at localhost: most mail servers refuse them.",
            hint="Set EMAIL_FROM to an address of a domain that your mail server sends for.",
            id="jobs.W012",
        )
    ]


def _is_a_site(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port
        return False
    alone = url == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    return named and alone and parts.scheme in ("http", "https") and url.isascii()


def _is_an_address(text: str) -> bool:
    try:
        address = parse_mail_address(text)
        # Django's validator accepts only ASCII before the @; SMTPUTF8 allows more.
        validate_email(NOT_ASCII.sub("x", address.addr_spec))
    except (ValueError, ValidationError):
        return False
    return True
