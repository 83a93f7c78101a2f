"""`manage.py seed_demo`, which `make run` calls at each start."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from jobs.operations import demo_files
from tests.pages.looks import BROWSER

PASSWORD = secrets.token_urlsafe()


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch, settings: Any, bucket: Any, db: None) -> None:
    monkeypatch.setattr(demo_files, "demo_files", list)
    settings.DEMO_PASSWORD = settings.OPERATOR_PASSWORD = PASSWORD


def test_the_second_run_keeps_browsers_signed_in() -> None:
    call_command("seed_demo", verbosity=0)
    browser = Client(headers=BROWSER)
    assert browser.login(username="demo", password=PASSWORD)

    call_command("seed_demo", verbosity=0)

    assert browser.get("/").status_code == 200


def test_another_password_is_set(settings: Any) -> None:
    call_command("seed_demo", verbosity=0)
    settings.DEMO_PASSWORD = "another password"

    call_command("seed_demo", verbosity=0)

    assert User.objects.get(username="demo").check_password("another password")
