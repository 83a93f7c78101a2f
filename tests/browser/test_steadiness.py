"""Does anything on a page move by itself while somebody looks at it?"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from jobs.engine.sweeps import sweep_blocked_jobs
from jobs.states import Status
from tests.browser.looks import (
    OF_A_LINK,
    advance,
    job_that_is,
    look,
    put_off,
    start,
    start_again,
    succeed,
)

SIZES = [(1280, 800), (390, 844)]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize(("width", "height"), SIZES),
    pytest.mark.parametrize("path", ["/downloads/{}", "/downloads"]),
]

LITTLE = 0.1
# Chromium's own account: by how much of the window, and what of it from where to where.
WATCH = """
window.moved = [];
const place = (box) => [box.x, box.y, box.width, box.height].map(Math.round);
const tell = ({ node, previousRect: from, currentRect: to }) =>
  `${node?.outerHTML?.slice(0, 50) ?? node?.textContent} ${place(from)} to ${place(to)}`;
const note = (shifts) => {
  for (const shift of shifts)
    window.moved.push([shift.value, shift.sources.map(tell)]);
};
const watching = new PerformanceObserver((list) => note(list.getEntries()));
watching.observe({ type: "layout-shift", buffered: true });
const painted = () => new Promise((then) => requestAnimationFrame(() => setTimeout(then)));
window.movedSince = async () => {
  await painted();
  await painted();
  note(watching.takeRecords());
  return window.moved.splice(0);
};
"""


@pytest.fixture
def tab(of_alice: Page, width: int, height: int) -> Page:
    """One whose movements are noted."""
    of_alice.add_init_script(WATCH)
    of_alice.set_viewport_size({"width": width, "height": height})
    return of_alice


def visit(tab: Page, url: str) -> None:
    """Open a page; how little it moves until all of it has arrived is asserted here, once.

    A busy browser paints what it has: half a row comes first, then the rest of it.
    """
    tab.goto(url)
    assert sum(by for by, _ in moved(tab)) < LITTLE


def moved(tab: Page) -> list[Any]:
    """What has moved since the last call; what is about to be painted counts."""
    return list(tab.evaluate("movedSince()"))


def test_progress_moves_nothing(tab: Page, alice: User, live_server: Any, path: str) -> None:
    job_that_is("ready", alice)
    job = job_that_is("working", alice, total=987_654_321)
    visit(tab, live_server.url + path.format(job.pk))

    for share in (41, 49, 50, 75, 99):
        name = "facade-" + "east-" * (share % 7) + "1.png"  # some are long
        job.heartbeat(done=job.total * share // 100 + 1, message=f"Adding {share} of 120: {name}")
        look(tab)
        expect(tab.get_by_role("progressbar")).to_have_js_property("value", share)

    assert moved(tab) == []


def test_what_is_of_unknown_size_moves_nothing(
    tab: Page, alice: User, live_server: Any, path: str
) -> None:
    job = job_that_is("working", alice, **OF_A_LINK)
    visit(tab, live_server.url + path.format(job.pk))

    for done, threads in [(9_900_000, 4), (10_100_000, 16), (999_900_000, 1), (1_200_000_000, 0)]:
        job.heartbeat(
            done=done, message=f"Fetching with {threads}", speed=done // 9, threads=threads
        )
        look(tab)
        expect(tab.get_by_text(f"Fetching with {threads}").first).to_be_visible()

    expect(tab.get_by_text("1.2\u00a0GB so far")).to_be_visible()
    assert moved(tab) == []


def test_cancel_stays_under_the_pointer(
    tab: Page, alice: User, live_server: Any, path: str
) -> None:
    job = job_that_is("queued", alice)
    visit(tab, live_server.url + path.format(job.pk))
    cancel = tab.get_by_role("button", name=re.compile("^Cancel($| Queued)"))
    places = [cancel.bounding_box()]

    for text, move in MOVES[:2]:
        move(job)
        look(tab)
        expect(tab.get_by_text(text).first).to_be_visible()
        places.append(cancel.bounding_box())

    assert places == places[:1] * 3


def test_a_new_state_moves_little(tab: Page, alice: User, live_server: Any, path: str) -> None:
    """It has other things to say and a longer history; Web Vitals calls up to 0.1 good."""
    job_that_is("ready", alice, name="Another.zip")
    job = job_that_is("queued", alice, name="Summer.zip")
    visit(tab, live_server.url + path.format(job.pk))
    told = {}

    for text, move in MOVES:
        move(job)
        look(tab)
        expect(tab.get_by_text(text).first).to_be_visible()
        told[move.__name__] = moved(tab)

    much = {move: shifts for move, shifts in told.items() if sum(by for by, _ in shifts) >= LITTLE}
    assert not much


def test_what_waited_for_others_moves_little_when_it_starts(
    tab: Page, alice: User, live_server: Any, path: str
) -> None:
    job = job_that_is("held", alice, name="Summer.zip")
    visit(tab, live_server.url + path.format(job.pk))
    expect(tab.get_by_text(re.compile("tarts when Queued.zip is ready")).first).to_be_visible()
    other = job.after.get(status=Status.QUEUED)
    moved(tab)

    start(other)
    succeed(other)
    sweep_blocked_jobs()
    job.refresh_from_db()
    start(job)
    look(tab)
    expect(tab.get_by_text("Starting").first).to_be_visible()

    assert sum(by for by, _ in moved(tab)) < LITTLE


MOVES = [
    ("Starting", start),
    ("Adding 2 of 3", advance),
    ("Retrying", put_off),
    ("Starting", start_again),
    ("Kept until", succeed),
]
