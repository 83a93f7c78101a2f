"""The admin has the colours of the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Notification
from tests.factories import NotificationFactory, StoredFileFactory, UserFactory

STATIC = Path(__file__).parent.parent / "jobs/static/jobs"
COLOUR = re.compile(r"--([a-z-]+): (light-dark\(.*?\));")


def colours(sheet: str) -> dict[str, str]:
    return dict(COLOUR.findall((STATIC / sheet).read_text()))


def test_the_admins_colours_are_those_of_the_pages() -> None:
    pages, admin = colours("style.css"), colours("admin_theme.css")
    shared = admin.keys() & pages.keys()

    assert {"canvas", "panel", "ink", "work", "ready", "retry", "fail", "button"} <= shared
    assert {name: admin[name] for name in shared} == {name: pages[name] for name in shared}
    states = {name.removeprefix("state-"): each for name, each in colours("admin.css").items()}
    assert states == {name: pages[name] for name in states}


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/admin/jobs/downloadjob/"])
def test_each_page_of_the_admin_has_them(client: Client, admin_user: User, path: str) -> None:
    if "login" not in path:
        client.force_login(admin_user)

    assert "jobs/admin_theme.css" in client.get(path).content.decode()


@pytest.mark.parametrize(
    ("state", "colour"), [("waiting", "queued"), ("sent", "completed"), ("failed", "failed")]
)
def test_the_state_of_a_notification_has_a_colour(
    admin_client: Client, state: str, colour: str
) -> None:
    NotificationFactory(owner=UserFactory(), state=state, sent=state == "sent")

    page = admin_client.get("/admin/jobs/notification/").content.decode()

    text = Notification.State(state).label
    assert f'<span class="job-state is-{colour}">{text}</span>' in page


def test_files_have_short_times(admin_client: Client) -> None:
    file = StoredFileFactory()

    page = admin_client.get("/admin/jobs/storedfile/").content.decode()

    assert re.search(rf"{file.created_at.day} {file.created_at:%b} \d\d:\d\d", page)
