"""A client for the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client


@pytest.fixture
def visitor(alice: User) -> Client:
    """Return a client signed in as Alice."""
    from django.test import Client  # Django is not set up yet when pytest reads this file

    from tests.pages.looks import BROWSER

    client = Client(headers=BROWSER)
    client.force_login(alice)
    return client
