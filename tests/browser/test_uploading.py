"""Uploads in a browser: dropped, interrupted, resumed, refused and cancelled."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Dialog, Locator, Page, Request, Route, expect

from jobs import storage
from jobs.models import DownloadJob, IncomingUpload
from jobs.states import Status
from tests.browser.looks import look, start
from tests.browser.test_keyboard import has_focus, tab_to
from tests.browser.test_steadiness import WATCH, moved
from tests.live import until
from tests.uploads import CHUNK, picture

pytestmark = pytest.mark.browser

MEGABYTE = 1_000_000
LARGE = 2 * CHUNK + 5  # three parts
LINE = re.compile("net::ERR_")
DROP = """(zone, files) => {
  const dataTransfer = new DataTransfer();
  for (const [name, size] of files) dataTransfer.items.add(new File(["x".repeat(size)], name));
  for (const type of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(autouse=True)
def clean(alice_tab: Page, made_bucket: None, broker: Any) -> Iterator[None]:
    """Wait for requests that were interrupted: they must end before the tables are emptied."""
    yield
    alice_tab.context.close()
    until(lambda: not any("process_request" in t.name for t in threading.enumerate()), 20)
    storage.delete_all_objects_but([], prefix="raw/")


@pytest.fixture
def tab(alice_tab: Page, live_server: Any) -> Page:
    alice_tab.goto(f"{live_server.url}/upload")
    return alice_tab


@pytest.fixture
def lost_connections(console_messages: list[str]) -> Iterator[None]:
    """Remove Chromium's messages about connections that the test breaks."""
    yield
    console_messages[:] = [text for text in console_messages if not LINE.search(text)]


@pytest.fixture
def large(tmp_path: Path, settings: Any) -> Path:
    """Return a file that is large enough for a chunked upload."""
    settings.MAX_UPLOAD_BYTES = MEGABYTE
    path = tmp_path / "drone-flight-3.mp4"
    path.write_bytes(bytes(range(256)) * (LARGE // 256) + bytes(LARGE % 256))
    return path


def choose(tab: Page, *files: Path | tuple[str, bytes]) -> None:
    payload = [
        file
        if isinstance(file, Path)
        else {"name": file[0], "mimeType": "application/octet-stream", "buffer": file[1]}
        for file in files
    ]
    tab.locator("input[type=file]").set_input_files(payload)  # type: ignore[arg-type]


def row(tab: Page, name: str) -> Locator:
    return tab.locator("#sent > li").filter(has=tab.get_by_role("heading", name=name))


def slow_down(tab: Page, bytes_a_second: int) -> None:
    line = {"offline": False, "latency": 0, "downloadThroughput": -1}
    wire = tab.context.new_cdp_session(tab)
    wire.send("Network.emulateNetworkConditions", line | {"uploadThroughput": bytes_a_second})


def parts_sent(tab: Page) -> list[str]:
    """Return the requests with a chunk, from now on."""
    seen: list[str] = []

    def note(request: Request) -> None:
        is_form = "multipart" in request.headers.get("content-type", "")
        if request.method == "POST" and request.url.endswith("/chunked") and is_form:
            seen.append(request.url)

    tab.on("request", note)
    return seen


def cut(tab: Page, *, after: int) -> Callable[[], None]:
    """Abort every request after so many chunks. Call the result to end this."""
    passed = 0

    def handle(route: Route) -> None:
        nonlocal passed
        passed += "multipart" in route.request.headers.get("content-type", "")
        route.abort() if passed > after else route.continue_()

    tab.route("**/upload/chunked", handle)
    return lambda: tab.unroute("**/upload/chunked", handle)


def refuse(tab: Page, status: int, code: str, detail: str, **headers: str) -> None:
    problem = {"status": status, "code": code, "detail": detail}
    tab.route(
        "**/upload",
        lambda route: (
            route.fulfill(status=status, json=problem, headers=headers)
            if route.request.method == "POST"
            else route.continue_()
        ),
    )


def test_dropped_files_are_uploaded_until_they_are_ready(tab: Page, alice: User) -> None:
    tab.locator("#drop").evaluate(DROP, [["notes.txt", 2_000], ["plan.txt", 3_000]])

    expect(row(tab, "notes.txt")).to_contain_text("Queued")
    expect(row(tab, "plan.txt")).to_contain_text("Queued")
    jobs = {job.name: job for job in DownloadJob.objects.all()}
    assert {name: (job.owner, job.total) for name, job in jobs.items()} == {
        "notes.txt": (alice, 2_000),
        "plan.txt": (alice, 3_000),
    }
    start(jobs["plan.txt"])
    look(tab)
    expect(row(tab, "plan.txt")).to_contain_text("Working")
    expect(tab).to_have_title("Upload · Downloads")


def test_files_are_accepted_anywhere_but_not_other_drops(tab: Page) -> None:
    tab.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData("text/plain", "no file");
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }"""
    )
    tab.locator("footer").evaluate(DROP, [["notes.txt", 10]])

    expect(row(tab, "notes.txt")).to_contain_text("Queued")
    expect(tab.locator("#sent > li")).to_have_count(1)


def test_progress_is_shown_during_an_upload(tab: Page) -> None:
    slow_down(tab, 400_000)

    choose(tab, ("survey.bin", bytes(2 * MEGABYTE)))

    sending = row(tab, "survey.bin")
    expect(sending.locator(".tint")).to_have_text("Uploading")
    expect(sending).to_contain_text(re.compile(r"[01]\.\d of 2\.0\sMB"))
    expect(sending).to_contain_text(re.compile(r"\d+\skB/s · about \d+\ss left"))
    expect(tab).to_have_title(re.compile(r"^[1-9]\d?% Upload"))
    assert 0 < sending.get_by_role("progressbar").evaluate("bar => bar.value") < 100
    slow_down(tab, -1)
    expect(sending).to_contain_text("Queued")


def test_an_upload_does_not_shift_layout(alice_tab: Page, live_server: Any) -> None:
    alice_tab.add_init_script(WATCH)
    alice_tab.goto(f"{live_server.url}/upload")
    slow_down(alice_tab, 300_000)
    choose(alice_tab, ("survey.bin", bytes(MEGABYTE)), ("plan.bin", bytes(MEGABYTE)))
    expect(row(alice_tab, "plan.bin").locator(".tint")).to_have_text("Uploading")
    moved(alice_tab)

    expect(row(alice_tab, "survey.bin")).to_contain_text("left")
    waits = re.compile("starts as soon as a worker is free|1 ahead of you")
    expect(row(alice_tab, "survey.bin")).to_contain_text(waits)

    assert moved(alice_tab) == []


def test_three_files_are_uploaded_at_once(tab: Page) -> None:
    slow_down(tab, 300_000)

    choose(tab, *((f"photo-{number}.bin", bytes(MEGABYTE)) for number in range(5)))

    words = tab.locator("#sent .tint")
    expect(words).to_have_text(["Uploading"] * 3 + ["Queued"] * 2)
    tab.get_by_role("button", name="Cancel photo-0.bin").click()
    expect(words).to_have_text(["Cancelled"] + ["Uploading"] * 3 + ["Queued"])


def test_a_cancelled_upload_can_be_repeated(tab: Page) -> None:
    slow_down(tab, 100_000)
    choose(tab, ("survey.bin", bytes(MEGABYTE)))
    expect(row(tab, "survey.bin").locator(".tint")).to_have_text("Uploading")

    tab.get_by_role("button", name="Cancel survey.bin").click()

    expect(row(tab, "survey.bin")).to_contain_text("Cancelled No file was kept.")
    again = tab.get_by_role("button", name="Upload again survey.bin")
    assert has_focus(again)
    expect(tab.locator("#said")).to_contain_text("survey.bin: Cancelled")
    assert not DownloadJob.objects.exists()
    slow_down(tab, -1)
    again.click()
    expect(row(tab, "survey.bin")).to_contain_text("starts as soon as a worker is free")


def test_a_large_file_is_uploaded_in_chunks(tab: Page, large: Path) -> None:
    tab.reload()
    parts = parts_sent(tab)

    choose(tab, large)

    expect(row(tab, large.name)).to_contain_text("Queued")
    job = DownloadJob.objects.get()
    assert job.total == LARGE
    assert len(parts) == 3
    assert tab.evaluate("Object.keys(localStorage)") == []


def test_stored_chunks_survive_a_lost_connection(
    tab: Page, large: Path, lost_connections: None
) -> None:
    tab.reload()
    mend = cut(tab, after=1)
    choose(tab, large)
    expect(row(tab, large.name)).to_contain_text("No connection")
    expect(row(tab, large.name)).to_contain_text("Retrying in")

    mend()
    parts = parts_sent(tab)

    expect(row(tab, large.name)).to_contain_text("starts as soon as a worker is free")
    assert len(parts) == 2
    assert DownloadJob.objects.get().total == LARGE


def test_an_upload_resumes_after_a_reload(tab: Page, large: Path, lost_connections: None) -> None:
    tab.reload()
    mend = cut(tab, after=2)
    choose(tab, large)
    expect(row(tab, large.name)).to_contain_text("Retrying in")
    tab.once("dialog", lambda dialog: dialog.accept())
    tab.reload()
    mend()
    parts = parts_sent(tab)

    choose(tab, large)

    expect(row(tab, large.name)).to_contain_text("Queued")
    assert len(parts) == 1
    assert DownloadJob.objects.get().total == LARGE


def test_a_cancelled_chunked_upload_cannot_be_resumed(
    tab: Page, large: Path, lost_connections: None
) -> None:
    tab.reload()
    cut(tab, after=1)
    choose(tab, large)
    expect(row(tab, large.name)).to_contain_text("Retrying in")

    with tab.expect_response(lambda answer: answer.request.method == "DELETE") as given_up:
        tab.get_by_role("button", name=f"Cancel {large.name}").click()

    assert given_up.value.status == 204
    assert not IncomingUpload.objects.coming().exists()
    assert tab.evaluate("Object.keys(localStorage)") == []


def test_an_upload_waits_for_the_network(tab: Page, lost_connections: None) -> None:
    tab.context.set_offline(True)
    choose(tab, ("notes.txt", b"hello"))
    expect(row(tab, "notes.txt")).to_contain_text("Waiting No connection continues automatically")

    tab.context.set_offline(False)

    expect(row(tab, "notes.txt")).to_contain_text("starts as soon as a worker is free")


def test_a_refused_upload_shows_the_reason_without_a_retry(tab: Page, refusals: Any) -> None:
    refuse(tab, 422, "type_not_allowed", "Files of type text/html are not allowed.")

    choose(tab, ("page.html", b"<h1>Hello</h1>"))

    refused = row(tab, "page.html")
    expect(refused).to_contain_text("Not accepted Files of type text/html are not allowed.")
    expect(refused.get_by_role("button")).to_have_count(0)
    expect(tab.locator("#said")).to_contain_text("page.html: Not accepted")
    assert refusals() == 1


def test_an_upload_over_the_quota_can_be_retried(tab: Page, refusals: Any) -> None:
    later = {"Retry-After": "3600"}
    refuse(
        tab,
        429,
        "storage_full",
        "Your files would need more storage space than you have left.",
        **later,
    )

    choose(tab, ("notes.txt", b"hello"))

    expect(row(tab, "notes.txt")).to_contain_text("Failed Your files would need more storage space")
    tab.unroute("**/upload")
    tab.get_by_role("button", name="Upload again notes.txt").click()
    expect(row(tab, "notes.txt")).to_contain_text("starts as soon as a worker is free")
    refusals()


def test_an_upload_is_retried_after_retry_after(tab: Page, refusals: Any) -> None:
    refuse(tab, 429, "throttled", "At most 10 requests in 60 s.", **{"Retry-After": "2"})
    choose(tab, ("notes.txt", b"hello"))
    expect(row(tab, "notes.txt")).to_contain_text(re.compile(r"Retrying in \d\ss At most 10"))

    tab.unroute("**/upload")

    expect(row(tab, "notes.txt")).to_contain_text("starts as soon as a worker is free")
    refusals()


def test_an_empty_file_is_uploaded(tab: Page) -> None:
    choose(tab, ("empty.txt", b""))

    expect(row(tab, "empty.txt")).to_contain_text("starts as soon as a worker is free")


def test_leaving_during_an_upload_asks_first(tab: Page, live_server: Any) -> None:
    dialogs: list[Dialog] = []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog), dialog.accept()))
    slow_down(tab, 100_000)
    tab.get_by_role("button", name="Choose files").focus()
    tab.keyboard.press("Escape")  # with user activation: else no browser asks
    choose(tab, ("survey.bin", bytes(MEGABYTE)))
    expect(row(tab, "survey.bin").locator(".tint")).to_have_text("Uploading")

    tab.reload()

    assert [dialog.type for dialog in dialogs] == ["beforeunload"]
    slow_down(tab, -1)
    tab.reload()
    assert len(dialogs) == 1


def test_cancelling_a_received_upload_keeps_the_page(tab: Page) -> None:
    choose(tab, ("notes.txt", b"hello"))
    expect(row(tab, "notes.txt")).to_contain_text("starts as soon as a worker is free")

    tab.get_by_role("button", name="Cancel notes.txt").click()

    expect(row(tab, "notes.txt")).to_contain_text("Cancelled")
    assert DownloadJob.objects.get().status == Status.CANCELLED
    assert tab.url.endswith("/upload")


def test_files_are_chosen_by_keyboard(tab: Page) -> None:
    tab.on("filechooser", lambda _: None)  # file dialogs stay closed, after a moment
    tab_to(tab, tab.get_by_role("button", name="Choose files"))

    with tab.expect_file_chooser() as chooser:
        tab.keyboard.press("Enter")
    assert chooser.value.is_multiple()
    chooser.value.set_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture()})

    expect(row(tab, "a.jpg")).to_contain_text("Queued")
    tab_to(tab, tab.get_by_role("button", name="Cancel a.jpg"))
