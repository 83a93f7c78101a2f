"""Can everything be done without a mouse, and is it always seen where one is?"""

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

MANY = 60  # times that Tab is pressed in search of something
# What is wrong with the place of the focus; nothing where it can be seen.
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
    """Press Tab until it has the focus, which is seen at every stop."""
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
def test_the_whole_way_by_keyboard(
    width: int, of_alice: Page, alice: User, live_server: Any, broker: Any
) -> None:
    plans = [StoredFileFactory(name=f"plan-{number}.txt").name for number in range(30)]
    of_alice.set_viewport_size({"width": width, "height": 800})
    of_alice.context.clear_cookies()
    of_alice.goto(live_server.url)

    tab_to(of_alice, of_alice.get_by_label("Username"))
    of_alice.keyboard.type("alice")
    tab_to(of_alice, of_alice.get_by_label("Password"))
    of_alice.keyboard.type("correct horse")
    of_alice.keyboard.press("Enter")
    for plan in reversed(plans[5:]):  # the newest, as they stand on the page
        tab_to(of_alice, of_alice.get_by_label(plan))
        of_alice.keyboard.press("Space")
    tab_to(of_alice, of_alice.get_by_role("button", name="Create zip"))
    of_alice.keyboard.press("Enter")
    expect(of_alice.get_by_role("heading", level=1)).to_have_text("25 files.zip")
    tab_to(of_alice, of_alice.get_by_role("button", name="Cancel"))
    of_alice.keyboard.press("Enter")

    expect(of_alice.get_by_role("heading", name="Cancelled")).to_be_visible()
    assert DownloadJob.objects.get().status == Status.CANCELLED


def test_a_link_is_asked_for_by_keyboard(of_alice: Page, live_server: Any, broker: Any) -> None:
    tab_to(of_alice, of_alice.get_by_role("link", name="From a link"))
    of_alice.keyboard.press("Enter")
    tab_to(of_alice, of_alice.get_by_label("Web address"))
    of_alice.keyboard.type(LINK)
    tab_to(of_alice, of_alice.get_by_text("More options"))
    of_alice.keyboard.press("Enter")
    tab_to(of_alice, of_alice.get_by_label("Connections"))
    of_alice.keyboard.press("ArrowUp")
    tab_to(of_alice, of_alice.get_by_label("Expected SHA-256"))
    of_alice.keyboard.press("Enter")

    expect(of_alice.get_by_role("heading", level=1)).to_have_text("frames.tar")
    assert DownloadJob.objects.get().params == {"url": LINK, "threads": 5}


@pytest.mark.parametrize(
    ("path", "role", "name"),
    [
        ("/downloads", "link", "Working.zip"),
        ("/downloads", "button", "Cancel Working.zip"),
        ("/downloads/{}", "button", "Cancel"),
    ],
)
def test_a_poll_leaves_the_focus_where_it_is(
    path: str, role: Any, name: str, of_alice: Page, alice: User, live_server: Any
) -> None:
    job = job_that_is("working", alice)
    of_alice.goto(live_server.url + path.format(job.pk))
    wanted = of_alice.get_by_role(role, name=name, exact=True)
    tab_to(of_alice, wanted)

    job.heartbeat(done=700_000, message="Adding 3 of 3: frames.tar")

    expect(of_alice.get_by_text("Adding 3 of 3: frames.tar").first).to_be_visible()
    assert has_focus(wanted)


@pytest.mark.parametrize("path", ["/downloads", "/downloads/{}"])
def test_the_focus_passes_from_cancel_to_what_takes_its_place(
    path: str, of_alice: Page, alice: User, live_server: Any
) -> None:
    job = job_that_is("working", alice)
    of_alice.goto(live_server.url + path.format(job.pk))
    tab_to(of_alice, of_alice.get_by_role("button", name=re.compile("^Cancel($| Working)")))

    succeed(job)

    download = of_alice.get_by_role("link", name=re.compile(r"^Download\b"))
    expect(download).to_be_visible()
    assert has_focus(download)
