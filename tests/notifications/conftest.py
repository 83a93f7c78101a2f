"""Alice with an e-mail address, a mail server, and a receiver of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.notifications.receiver import Receiver
from tests.notifications.smtp import MailServer

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    from tests.notifications.outbox import SITE

    settings.BASE_URL = SITE


@pytest.fixture
def alice(alice: User) -> User:
    alice.email = "alice@example.com"
    alice.save()
    return alice


@pytest.fixture
def post(settings: Any) -> Iterator[MailServer]:
    """Start a mail server and configure it in the settings."""
    with MailServer() as server:
        settings.MAIL_IS_ON = True
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_TIMEOUT = 5
        yield server


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """Start a receiver, and allow its private address."""
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1"]
    with Receiver() as server:
        yield server
