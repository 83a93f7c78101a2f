"""Layout shifts: nothing moves on a page while it is polled."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from jobs.engine.sweeps import sweep_blocked_jobs
from jobs.states import Status
from tests.browser.looks import (
    LINK_FIELDS,
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
# Chromium's layout-shift entries: the share of the window, and each element's old and new place.
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
def tab(alice_tab: Page, width: int, height: int) -> Page:
    """A tab that records layout shifts."""
    alice_tab.add_init_script(WATCH)
    alice_tab.set_viewport_size({"width": width, "height": height})
    return alice_tab


def visit(tab: Page, url: str) -> None:
    """Open a page, and assert that it hardly shifts while it loads.

    A busy browser paints partial content, such as half a row, and then the rest.
    """
    tab.goto(url)
    assert sum(by for by, _ in moved(tab)) < LITTLE


def moved(tab: Page) -> list[Any]:
    """Return the layout shifts since the last call, including pending paints."""
    return list(tab.evaluate("movedSince()"))


def test_progress_does_not_shift_layout(
    tab: Page, alice: User, live_server: Any, path: str
) -> None:
    job_that_is("ready", alice)
    job = job_that_is("working", alice, total=987_654_321)
    visit(tab, live_server.url + path.format(job.pk))

    for share in (41, 49, 50, 75, 99):
        name = "facade-" + "east-" * (share % 7) + "1.png"  # some messages are long
        job.heartbeat(done=job.total * share // 100 + 1, message=f"Adding {share} of 120: {name}")
        look(tab)
        expect(tab.get_by_role("progressbar")).to_have_js_property("value", share)

    assert moved(tab) == []


def test_unknown_total_does_not_shift_layout(
    tab: Page, alice: User, live_server: Any, path: str
) -> None:
    job = job_that_is("working", alice, **LINK_FIELDS)
    visit(tab, live_server.url + path.format(job.pk))

    for done, threads in [(9_900_000, 4), (10_100_000, 16), (999_900_000, 1), (1_200_000_000, 0)]:
        job.heartbeat(
            done=done, message=f"Fetching with {threads}", speed=done // 9, threads=threads
        )
        look(tab)
        expect(tab.get_by_text(f"Fetching with {threads}").first).to_be_visible()

    expect(tab.get_by_text("1.2\u00a0GB so far")).to_be_visible()
    assert moved(tab) == []


def test_cancel_stays_in_place(tab: Page, alice: User, live_server: Any, path: str) -> None:
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


def test_a_new_state_hardly_shifts_layout(
    tab: Page, alice: User, live_server: Any, path: str
) -> None:
    """A new state has other texts and a longer history; Web Vitals calls a shift up to 0.1 good."""
    job_that_is("ready", alice, name="Another.zip")
    job = job_that_is("queued", alice, name="Summer.zip")
    visit(tab, live_server.url + path.format(job.pk))
    shifts_by_move = {}

    for text, move in MOVES:
        move(job)
        look(tab)
        expect(tab.get_by_text(text).first).to_be_visible()
        shifts_by_move[move.__name__] = moved(tab)

    much = {
        move: shifts
        for move, shifts in shifts_by_move.items()
        if sum(by for by, _ in shifts) >= LITTLE
    }
    assert not much


def test_the_start_of_a_dependent_job_hardly_shifts_layout(
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
