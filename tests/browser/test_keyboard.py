"""Everything works by keyboard, and the focus is always visible."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, expect

from jobs.models import DownloadJob
from jobs.states import Status
from tests.browser.looks import job_that_is, succeed
from tests.factories import LINK, StoredFileFactory

pytestmark = pytest.mark.browser

MANY = 60  # limit for the number of Tab presses
# Why the focused element is not visible; empty if it is.
UNSEEN = """() => {
  const focused = document.activeElement, style = getComputedStyle(focused);
  const box = focused.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const onTop = document.elementFromPoint(x, y);
  if (focused === document.body) return "nothing has it";
  if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) return "no ring";
  if (box.width < 2 || box.height < 2) return "nothing to see";
  if (!onTop || !(focused.contains(onTop) || onTop.contains(focused))) return "under something";
  return "";
}"""


def tab_to(tab: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus. The focus must be visible at every stop."""
    expect(wanted).to_be_visible()
    for _ in range(MANY):
        tab.keyboard.press("Tab")
        here = tab.evaluate("document.activeElement.outerHTML.slice(0, 120)")
        assert tab.evaluate(UNSEEN) == "", here
        if has_focus(wanted):
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


def has_focus(wanted: Locator) -> bool:
    return bool(wanted.evaluate("element => element === document.activeElement"))


@pytest.mark.parametrize("width", [1280, 390])
def test_zip_by_keyboard(
    width: int, alice_tab: Page, alice: User, live_server: Any, broker: Any
) -> None:
    plans = [StoredFileFactory(name=f"plan-{number}.txt").name for number in range(30)]
    alice_tab.set_viewport_size({"width": width, "height": 800})
    alice_tab.context.clear_cookies()
    alice_tab.goto(live_server.url)

    tab_to(alice_tab, alice_tab.get_by_label("Username"))
    alice_tab.keyboard.type("alice")
    tab_to(alice_tab, alice_tab.get_by_label("Password"))
    alice_tab.keyboard.type("correct horse")
    alice_tab.keyboard.press("Enter")
    for plan in reversed(plans[5:]):  # the newest, in the order of the page
        tab_to(alice_tab, alice_tab.get_by_label(plan))
        alice_tab.keyboard.press("Space")
    tab_to(alice_tab, alice_tab.get_by_role("button", name="Create zip"))
    alice_tab.keyboard.press("Enter")
    expect(alice_tab.get_by_role("heading", level=1)).to_have_text("plan-29.txt and 24 more.zip")
    tab_to(alice_tab, alice_tab.get_by_role("button", name="Cancel"))
    alice_tab.keyboard.press("Enter")

    expect(alice_tab.get_by_role("heading", name="Cancelled")).to_be_visible()
    assert DownloadJob.objects.get().status == Status.CANCELLED


def test_link_by_keyboard(alice_tab: Page, live_server: Any, broker: Any) -> None:
    tab_to(alice_tab, alice_tab.get_by_role("link", name="From a link"))
    alice_tab.keyboard.press("Enter")
    tab_to(alice_tab, alice_tab.get_by_label("Web address"))
    alice_tab.keyboard.type(LINK)
    tab_to(alice_tab, alice_tab.get_by_text("More options"))
    alice_tab.keyboard.press("Enter")
    tab_to(alice_tab, alice_tab.get_by_label("Connections"))
    alice_tab.keyboard.press("ArrowUp")
    tab_to(alice_tab, alice_tab.get_by_label("Expected SHA-256"))
    alice_tab.keyboard.press("Enter")

    expect(alice_tab.get_by_role("heading", level=1)).to_have_text("frames.tar")
    assert DownloadJob.objects.get().params == {"url": LINK, "threads": 5}


@pytest.mark.parametrize(
    ("path", "role", "name"),
    [
        ("/downloads", "link", "Working.zip"),
        ("/downloads", "button", "Cancel Working.zip"),
        ("/downloads/{}", "button", "Cancel"),
    ],
)
def test_a_poll_keeps_the_focus(
    path: str, role: Any, name: str, alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = job_that_is("working", alice)
    alice_tab.goto(live_server.url + path.format(job.pk))
    wanted = alice_tab.get_by_role(role, name=name, exact=True)
    tab_to(alice_tab, wanted)

    job.heartbeat(done=700_000, message="Adding 3 of 3: frames.tar")

    expect(alice_tab.get_by_text("Adding 3 of 3: frames.tar").first).to_be_visible()
    assert has_focus(wanted)


@pytest.mark.parametrize("path", ["/downloads", "/downloads/{}"])
def test_the_focus_moves_from_cancel_to_its_replacement(
    path: str, alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = job_that_is("working", alice)
    alice_tab.goto(live_server.url + path.format(job.pk))
    tab_to(alice_tab, alice_tab.get_by_role("button", name=re.compile("^Cancel($| Working)")))

    succeed(job)

    download = alice_tab.get_by_role("link", name=re.compile(r"^Download\b"))
    expect(download).to_be_visible()
    assert has_focus(download)
