"""The admin's pages: no violation of accessibility, nothing cut off, wide or narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from jobs.models import Alert, QueueLimit
from tests.browser.looks import LOOKS, job_that_is
from tests.browser.test_accessibility import SIZES, Visit, findings
from tests.factories import NotificationFactory, StoredFileFactory, UserFactory

pytestmark = pytest.mark.browser

# Of Django's own templates, not of ours.
OF_DJANGO = ("empty-table-header", "scrollable-region-focusable")


class Desk(Visit):
    """The browser of an operator; each method opens another page."""

    def overview(self) -> None:
        self._fill()
        QueueLimit.objects.create(scope="kind", name="report", is_paused=True, reason="Moving")
        Alert.objects.create(rule="no-workers", sentence="No worker is running.")
        Alert.objects.create(rule="jobs-stall", subject="bundle", resolved_at=timezone.now())
        self.go("/admin/")

    def jobs(self) -> None:
        self._fill()
        self.go("/admin/jobs/downloadjob/")

    def failed_job(self) -> None:
        self.go(f"/admin/jobs/downloadjob/{job_that_is('failed', self.bob).pk}/change/")

    def running_job(self) -> None:
        self.go(f"/admin/jobs/downloadjob/{job_that_is('working', self.bob).pk}/change/")

    def files(self) -> None:
        self._fill()
        self.go("/admin/jobs/storedfile/")

    def notifications(self) -> None:
        for state in ("waiting", "sent", "failed"):
            NotificationFactory(owner=self.bob, state=state, sent=state == "sent")
        self.go("/admin/jobs/notification/")

    def users(self) -> None:
        UserFactory()
        self.go("/admin/auth/user/")

    def log_in(self) -> None:
        self.tab.context.clear_cookies()
        self.go("/admin/login/")

    def _fill(self) -> None:
        for look in LOOKS:
            job_that_is(look, self.bob)
        StoredFileFactory(name=f"{'a-name-without-blanks-' * 6}.pdf", owner=self.bob)


PAGES = [
    Desk.overview,
    Desk.jobs,
    Desk.failed_job,
    Desk.running_job,
    Desk.files,
    Desk.notifications,
    Desk.users,
    Desk.log_in,
]


@pytest.fixture
def desk(alice_tab: Page, live_server: Any, alice: User, bob: User, settings: Any) -> Desk:
    alice.is_staff = alice.is_superuser = True
    alice.save()
    return Desk(alice_tab, live_server.url, alice, bob, settings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_axe_finds_no_violation_and_nothing_is_cut_off(
    page: Callable[[Desk], None], desk: Desk, console_messages: list[str]
) -> None:
    page(desk)

    assert not console_messages
    found = findings(desk.tab)
    console_messages.clear()  # axe-core itself adds styles, for @import in Django's sheets
    assert [each for each in found if not is_of_django(each)] == []
    for width, height in SIZES:
        desk.tab.set_viewport_size({"width": width, "height": height})
        wide = desk.tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        header = desk.tab.locator("#header").bounding_box()
        content = desk.tab.locator("#content-start").bounding_box()
        assert header
        assert content
        assert header["y"] + header["height"] <= content["y"] + 1
        tools = desk.tab.locator("#user-tools")
        if tools.count():
            box = tools.bounding_box()
            assert box
            assert box["y"] + box["height"] <= header["y"] + header["height"] + 1


def is_of_django(finding: str) -> bool:
    return any(rule in finding for rule in OF_DJANGO)


def test_staff_find_the_admin_in_their_menu(desk: Desk) -> None:
    desk.go("/downloads")
    desk.tab.get_by_text("Account of alice").locator("..").click()
    desk.tab.get_by_role("link", name="Operations").click()

    expect(desk.tab.get_by_role("heading", name="Overview")).to_be_visible()
