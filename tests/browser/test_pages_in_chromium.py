"""What only a browser can test: polling, the selection, and that the CSP allows all of it."""

from __future__ import annotations

import re
import wave
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from jobs import storage
from jobs.engine.share_links import create_share_link
from jobs.models import DownloadJob, ShareLink, StoredFile
from jobs.states import Status
from jobs.web.shared_links import share_token
from tests.browser.looks import job_that_is, look
from tests.factories import (
    LINK,
    ArtifactFactory,
    JobFactory,
    RemoteJobFactory,
    StoredFileFactory,
    UploadJobFactory,
    store,
)

pytestmark = pytest.mark.browser

POLL = re.compile("/(state|row)")


def counted(tab: Page) -> list[str]:
    """Return the polls from now on."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if POLL.search(request.url):
            seen.append(request.url)

    tab.on("request", note)
    return seen


def claimed(owner: User, name: str = "Photos.zip") -> DownloadJob:
    job: DownloadJob = JobFactory(owner=owner, name=name, total=1_000_000)
    job.claim(task_id="task-1", worker="worker@test")
    return job


def finish(job: DownloadJob) -> None:
    artifact: StoredFile = ArtifactFactory.build(owner=job.owner, made_by=job)
    job.succeed(artifact)


def test_a_job_is_polled_until_it_is_ready(alice_tab: Page, alice: User, live_server: Any) -> None:
    job = claimed(alice)
    alice_tab.clock.install()
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    polls = counted(alice_tab)

    job.heartbeat(done=400_000, message="Adding 1 of 2: a.txt")
    expect(alice_tab.locator(".share")).to_have_text("40%")
    expect(alice_tab.locator("#bar")).to_have_js_property("value", 40)
    expect(alice_tab.locator("#moves .now")).to_contain_text("Adding 1 of 2: a.txt")
    expect(alice_tab).to_have_title(re.compile("^40% Photos.zip"))
    finish(job)

    expect(alice_tab.locator("#state-word")).to_have_text("Ready")
    expect(alice_tab.get_by_role("link", name="Download 5 B")).to_be_visible()
    expect(alice_tab.locator("#moves")).to_contain_text("Ready to download")
    expect(alice_tab.locator("#said")).to_have_text("Ready")
    expect(alice_tab.locator("#icon")).to_have_attribute("href", re.compile("icon-ready"))
    expect(alice_tab.locator("#active")).to_be_hidden()
    assert polls
    polls.clear()
    alice_tab.clock.fast_forward(60_000)
    assert not polls


def test_each_row_is_polled(alice_tab: Page, alice: User, live_server: Any) -> None:
    first, second = claimed(alice, "First.zip"), claimed(alice, "Second.zip")
    alice_tab.goto(f"{live_server.url}/downloads")
    expect(alice_tab.locator("#active")).to_contain_text("2")

    finish(first)

    expect(alice_tab.locator(f"#job-{first.pk}")).to_contain_text("Ready")
    expect(alice_tab.locator(f"#job-{second.pk}")).to_contain_text("Working")
    expect(alice_tab.locator("#active")).to_contain_text("1")
    expect(alice_tab.locator("#said")).to_have_text("First.zip: Ready")


def test_cancel_works_in_a_row_that_a_poll_replaced(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    alice_tab.goto(f"{live_server.url}/downloads")
    job.heartbeat(done=400_000, message="Adding 1 of 2: a.txt")
    expect(alice_tab.locator(f"#job-{job.pk}")).to_contain_text("Adding 1 of 2")

    alice_tab.get_by_role("button", name="Cancel Photos.zip").click()

    expect(alice_tab.locator("#state-word")).to_have_text("Cancelled")
    job.refresh_from_db()
    assert job.status == Status.CANCELLED


def test_a_page_reports_a_sign_out_and_resumes_after_sign_in(
    alice_tab: Page, alice: User, live_server: Any, console_messages: list[str]
) -> None:
    job = claimed(alice)
    alice_tab.clock.install()
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    cookies = alice_tab.context.cookies()

    alice_tab.context.clear_cookies()

    notice = alice_tab.get_by_text("You're signed out.")
    expect(notice).to_be_visible()
    link = f"{live_server.url}/sign-in?next=%2Fdownloads%2F{job.pk}"
    expect(alice_tab.get_by_role("link", name="sign in")).to_have_attribute("href", link)
    expect(alice_tab.locator("#state-word")).to_have_text("Working")

    alice_tab.context.add_cookies(cookies)  # signed in again, in another tab
    finish(job)
    alice_tab.clock.fast_forward(30_000)

    expect(alice_tab.locator("#state-word")).to_have_text("Ready")
    expect(notice).to_be_hidden()
    assert console_messages
    assert all("401" in said for said in console_messages)
    console_messages.clear()


def test_a_deleted_download_is_removed_from_the_list(
    alice_tab: Page, alice: User, live_server: Any, console_messages: list[str]
) -> None:
    gone, other = claimed(alice, "Gone.zip"), claimed(alice, "Other.zip")
    alice_tab.goto(f"{live_server.url}/downloads")
    alice_tab.get_by_role("searchbox").fill("half a wo")

    gone.delete()
    look(alice_tab)

    expect(alice_tab.locator(f"#job-{gone.pk}")).to_have_count(0)
    expect(alice_tab.locator(f"#job-{other.pk}")).to_contain_text("Working")
    expect(alice_tab.get_by_role("searchbox")).to_have_value("half a wo")
    assert all("404" in said for said in console_messages)
    console_messages.clear()


def test_a_hidden_tab_polls_rarely_and_at_once_when_shown(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    alice_tab.add_init_script("""
        let hidden = true;
        Object.defineProperty(document, "hidden", { get: () => hidden });
        window.reveal = () => {
          hidden = false;
          document.dispatchEvent(new Event("visibilitychange"));
        };
    """)
    alice_tab.clock.install()
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    with alice_tab.expect_request(POLL):
        alice_tab.clock.run_for(5_000)
    polls = counted(alice_tab)

    alice_tab.clock.run_for(20_000)
    assert not polls
    finish(job)
    alice_tab.evaluate("reveal()")

    expect(alice_tab.locator("#state-word")).to_have_text("Ready")


def test_a_refused_poll_is_not_a_lost_connection(
    alice_tab: Page, alice: User, live_server: Any, console_messages: list[str]
) -> None:
    job = claimed(alice)
    alice_tab.route(POLL, lambda route: route.fulfill(status=429))
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")

    expect(alice_tab.get_by_text("The service is unavailable right now.")).to_be_visible()

    expect(alice_tab.get_by_text("You're offline.")).to_be_hidden()
    console_messages[:] = [said for said in console_messages if "429" not in said]


def test_polls_respect_retry_after(
    alice_tab: Page, alice: User, live_server: Any, console_messages: list[str]
) -> None:
    job = claimed(alice)
    alice_tab.clock.install()
    alice_tab.route(POLL, lambda route: route.fulfill(status=503, headers={"Retry-After": "20"}))
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    alice_tab.clock.run_for(2_000)
    busy = alice_tab.get_by_text("The service is unavailable right now.")
    expect(busy).to_be_visible()
    polls = counted(alice_tab)

    alice_tab.clock.run_for(14_000)  # 25 % sooner or later, so that pages do not poll at once
    assert not polls
    alice_tab.unroute(POLL)
    finish(job)
    alice_tab.clock.run_for(15_000)

    expect(alice_tab.locator("#state-word")).to_have_text("Ready")
    expect(busy).to_be_hidden()
    console_messages[:] = [said for said in console_messages if "503" not in said]


def test_a_failed_search_suggests_a_retry(
    alice_tab: Page, console_messages: list[str], live_server: Any
) -> None:
    alice_tab.route("**/?*search=x*", lambda route: route.abort())

    alice_tab.get_by_role("searchbox").fill("x")

    expect(alice_tab.get_by_text("Try again in a moment.")).to_be_visible()
    alice_tab.get_by_role("searchbox").fill("y")
    expect(alice_tab.get_by_text("Try again in a moment.")).to_be_hidden()
    console_messages.clear()


def test_polls_keep_selected_text(alice_tab: Page, alice: User, live_server: Any) -> None:
    job = claimed(alice)
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    selected = "getSelection().toString().trim()"

    for place, text in {"#facts dd": str(job.pk), "#moves p": "Attempt 1 started"}.items():
        alice_tab.locator(place).first.select_text()
        before = alice_tab.evaluate(selected)
        job.heartbeat(done=job.done + 100_000, message=f"Adding to {place}")
        expect(alice_tab.locator("#state")).to_contain_text(f"Adding to {place}")
        assert alice_tab.evaluate(selected) == before
        assert text in before
    alice_tab.locator(".head time").select_text()
    before = alice_tab.evaluate(selected)
    finish(job)

    expect(alice_tab.locator("#moves")).to_contain_text("Ready to download")
    assert alice_tab.evaluate(selected) == before


def test_the_delay_of_a_retry_is_counted_down(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    job.retry("storage_unavailable", "The file store did not answer.", after_seconds=30)
    alice_tab.clock.install()
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    before = alice_tab.locator("[data-countdown]").inner_text()

    alice_tab.clock.run_for(10_000)

    after = alice_tab.locator("[data-countdown]").inner_text()
    assert int(before.split()[0]) - int(after.split()[0]) in (9, 10, 11)
    expect(alice_tab.locator("#state-word")).to_contain_text("Retrying in")


def test_relative_times_are_updated(alice_tab: Page, alice: User, live_server: Any) -> None:
    job: DownloadJob = JobFactory(owner=alice, status=Status.CANCELLED)
    alice_tab.clock.install()
    alice_tab.goto(f"{live_server.url}/downloads")
    when = alice_tab.locator(f"#job-{job.pk} .when")
    expect(when).to_have_text("just now")

    alice_tab.clock.fast_forward(300_000)

    expect(when).to_have_text("5\u00a0min ago")


def test_ticked_files_survive_paging_and_make_a_zip(
    alice_tab: Page, alice: User, live_server: Any, broker: Any
) -> None:
    for n in range(30):
        StoredFileFactory(file_id=80_000 + n, size_bytes=1_200_000)
    alice_tab.goto(live_server.url)

    alice_tab.get_by_label("file-").first.check()
    expect(alice_tab.locator(".basket [data-total]")).to_have_text("1 file1.2\u00a0MB")
    alice_tab.get_by_role("button", name="Older").click()
    expect(alice_tab.locator(".files tbody tr")).to_have_count(5)
    alice_tab.get_by_label("Select all on this page").check()
    expect(alice_tab.locator(".basket [data-total]")).to_have_text("6 files7.2\u00a0MB")
    assert "csrf" not in alice_tab.url
    alice_tab.get_by_label("File name").fill("Both pages")
    alice_tab.get_by_label("File name").press("Enter")

    expect(alice_tab.get_by_role("heading", level=1)).to_have_text("Both pages.zip")
    job = DownloadJob.objects.get()
    assert set(job.params["file_ids"]) == {80_029, *range(80_000, 80_005)}


def test_the_link_and_the_commands_are_copied(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    alice_tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}?from=somewhere")
    copied = "navigator.clipboard.readText()"

    alice_tab.get_by_role("button", name="Copy address").click()
    expect(alice_tab.get_by_role("button", name="Copied")).to_be_visible()
    assert alice_tab.evaluate(copied) == f"{live_server.url}/downloads/{job.pk}"
    alice_tab.get_by_role("button", name="Copy", exact=True).first.click()
    expect(alice_tab.locator("#said")).to_have_text("Copied")
    assert alice_tab.evaluate(copied).startswith(f"curl -f {live_server.url}/v1/download/initiate")


def test_a_link_is_copied_without_tls(alice_tab: Page, alice: User, live_server: Any) -> None:
    job = claimed(alice)
    alice_tab.add_init_script("Object.defineProperty(navigator, 'clipboard', { writable: true })")
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    expect(alice_tab.get_by_role("button", name="Copy address")).to_be_visible()
    alice_tab.evaluate("""addEventListener("copy", (event) => {
      window.copied = event.clipboardData.getData("text/plain");
    })""")

    alice_tab.get_by_role("button", name="Copy address").click()

    expect(alice_tab.get_by_role("button", name="Copied")).to_be_visible()
    assert alice_tab.evaluate("copied") == f"{live_server.url}/downloads/{job.pk}"


def test_copy_link_copies_a_share_link_made_on_first_use(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = job_that_is("ready", alice)
    alice_tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")

    for _ in range(2):
        alice_tab.get_by_role("button", name="Copy link", exact=True).click()
        expect(alice_tab.get_by_role("button", name="Copied")).to_be_visible()
        expect(alice_tab.get_by_role("button", name="Copy link", exact=True)).to_be_visible()

    token = share_token(ShareLink.objects.get().pk)
    assert alice_tab.evaluate("navigator.clipboard.readText()") == f"{live_server.url}/s/{token}"


def test_a_receiver_opens_a_link_and_downloads(
    transactional_db: None,
    alice: User,
    new_context: Callable[..., BrowserContext],
    live_server: Any,
    made_bucket: None,
) -> None:
    job = job_that_is("ready", alice)
    assert job.artifact
    storage.bucket().save(job.artifact.key, ContentFile(b"x" * job.artifact.size_bytes))
    tab = new_context().new_page()  # without an account
    for password in ("", "blue horse"):
        link = create_share_link(job, max_downloads=1, password=password)
        tab.goto(f"{live_server.url}/s/{share_token(link.pk)}")
        if password:
            tab.get_by_label("Password").fill(password)
            tab.get_by_role("button", name="Continue").click()

        with tab.expect_download() as found:
            tab.get_by_role("button", name="Download").click()

        assert found.value.suggested_filename == job.artifact.name
        assert found.value.path().stat().st_size == job.artifact.size_bytes
        assert ShareLink.objects.get(pk=link.pk).downloads == 1


def test_an_undo_is_offered_as_long_as_it_works(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = job_that_is("ready", alice)
    alice_tab.goto(f"{live_server.url}/downloads")
    alice_tab.get_by_label(f"Select {job.name}").check()

    alice_tab.get_by_role("button", name="Delete selected").click()

    expect(alice_tab.get_by_text("Deleted 1 download.")).to_be_visible()
    expect(alice_tab.get_by_role("link", name=job.name)).to_have_count(0)
    alice_tab.get_by_role("button", name="Undo").click()
    expect(alice_tab.get_by_role("link", name=job.name).first).to_be_visible()
    alice_tab.get_by_label(f"Select {job.name}").check()
    alice_tab.get_by_role("button", name="Delete selected").click()
    expect(alice_tab.get_by_role("button", name="Undo")).to_be_visible()
    expect(alice_tab.get_by_role("button", name="Undo")).to_have_count(0, timeout=15_000)


def test_an_automatic_download_starts_once(alice_tab: Page, alice: User, live_server: Any) -> None:
    job = claimed(alice)
    page = f"{live_server.url}/downloads/{job.pk}"
    fetched: list[str] = []

    def answer(route: Route) -> None:
        fetched.append(route.request.url)
        route.fulfill(status=204)  # like a file, it does not replace the page

    alice_tab.context.route(f"**/v1/download/{job.pk}", answer)
    alice_tab.goto(page)
    other = alice_tab.context.new_page()
    other.goto(page)

    alice_tab.get_by_label("Download automatically when ready").check()
    alice_tab.reload()
    expect(alice_tab.get_by_label("Download automatically when ready")).to_be_checked()
    finish(job)

    for tab in (alice_tab, other):
        expect(tab.locator("#state-word")).to_have_text("Ready")
        expect(tab.get_by_label("Download automatically when ready")).to_have_count(0)
    alice_tab.goto(page)
    other.reload()
    assert len(fetched) == 1


def test_automatic_download_is_ticked_in_every_tab(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    page = f"{live_server.url}/downloads/{claimed(alice).pk}"
    alice_tab.goto(page)
    other = alice_tab.context.new_page()
    other.goto(page)

    alice_tab.get_by_label("Download automatically when ready").check()
    expect(other.get_by_label("Download automatically when ready")).to_be_checked()
    other.get_by_label("Download automatically when ready").uncheck()

    expect(alice_tab.get_by_label("Download automatically when ready")).not_to_be_checked()


def test_automatic_download_works_without_browser_storage(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    alice_tab.add_init_script("""Object.defineProperty(window, "localStorage", {
      get() { throw new DOMException("denied", "SecurityError"); }
    })""")
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    expect(alice_tab.locator("[data-zone]")).to_have_text("Times are in your time zone.")
    alice_tab.route(f"**/v1/download/{job.pk}", lambda route: route.fulfill(status=204))

    alice_tab.get_by_label("Download automatically when ready").check()
    with alice_tab.expect_request(f"**/v1/download/{job.pk}"):
        finish(job)

    expect(alice_tab.locator("#state-word")).to_have_text("Ready")


def test_searching_while_typing_keeps_ticks_and_focus(
    alice_tab: Page, live_server: Any, broker: Any
) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf", content_type="application/pdf")
    StoredFileFactory(file_id=80_001, name="photo.jpg", content_type="image/jpeg")
    alice_tab.goto(live_server.url)
    search, basket = alice_tab.get_by_role("searchbox"), alice_tab.locator(".basket")

    alice_tab.get_by_label("plan.pdf").check()
    search.press_sequentially("pho")
    expect(alice_tab.locator(".files")).not_to_contain_text("plan.pdf")
    search.press("Enter")  # nothing is left to do
    expect(search).to_be_focused()
    expect(alice_tab.locator("#said")).to_have_text("1 file shown")
    alice_tab.get_by_label("photo.jpg").check()
    expect(basket).to_contain_text("plan.pdf")
    expect(basket).to_contain_text("2 files")
    search.fill("")
    expect(alice_tab.locator(".files").get_by_label("plan.pdf")).to_be_checked()
    pictures = alice_tab.get_by_role("button", name="Pictures")
    pictures.click()
    expect(pictures).to_have_attribute("aria-pressed", "true")
    expect(pictures).to_be_focused()
    assert "file=80000" in alice_tab.url
    alice_tab.reload()
    expect(basket).to_contain_text("2 files")
    alice_tab.go_back()
    expect(alice_tab.locator(".files")).to_contain_text("plan.pdf")
    alice_tab.get_by_role("button", name="Create zip").click()

    expect(alice_tab.get_by_role("heading", level=1)).to_have_text("photo.jpg and 1 more.zip")
    assert DownloadJob.objects.get().params["file_ids"] == [80_001, 80_000]


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_phone_has_the_name_the_mail_and_the_start(
    alice_tab: Page, live_server: Any, new_context: Any, *, has_scripts: bool
) -> None:
    User.objects.update(email="alice@example.org")
    for number in range(25):
        StoredFileFactory(name=f"plan-{number}.txt", size_bytes=2_000_000)
    cookies = alice_tab.context.storage_state()
    phone = {"viewport": {"width": 390, "height": 844}, "java_script_enabled": has_scripts}
    tab = new_context(storage_state=cookies, **phone).new_page()
    tab.goto(live_server.url)
    panel = tab.get_by_role("complementary", name="Your download")
    expect(panel).not_to_be_in_viewport()

    tab.get_by_label("plan-24.txt").check()
    tab.get_by_label("plan-23.txt").check()
    if has_scripts:
        expect(tab.get_by_text("2 files 4.0 MB")).to_be_in_viewport(ratio=1)
    tab.get_by_role("link", name="Continue").click()

    for part in (
        panel.get_by_label("File name"),
        panel.get_by_label("Email me"),
        panel.get_by_text("Schedule", exact=True),
        panel.get_by_role("button", name="Create zip"),
    ):
        expect(part).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(("width", "path"), [(1280, "/"), (390, "/"), (390, "/link")])
def test_the_fields_of_repeat_fit_their_panel(
    alice_tab: Page, live_server: Any, width: int, path: str
) -> None:
    StoredFileFactory()
    alice_tab.set_viewport_size({"width": width, "height": 844})
    alice_tab.goto(live_server.url + path)
    alice_tab.get_by_text("Repeat", exact=True).click()
    time_zone = alice_tab.get_by_label("Time zone")
    expect(time_zone).to_be_visible()

    panel = alice_tab.locator(".panel").filter(has=time_zone).bounding_box()
    field = time_zone.bounding_box()

    assert panel
    assert field
    assert field["x"] + field["width"] < panel["x"] + panel["width"]


def test_back_and_reload_keep_the_ticks(alice_tab: Page, live_server: Any) -> None:
    for n, name in enumerate(["plan.pdf", "photo.jpg", "phone.txt"]):
        StoredFileFactory(file_id=80_000 + n, name=name)
    alice_tab.goto(live_server.url)
    search, total = alice_tab.get_by_role("searchbox"), alice_tab.locator(".basket [data-total]")
    alice_tab.get_by_label("plan.pdf").check()
    search.press_sequentially("pho", delay=400)  # three searches
    expect(alice_tab.locator(".files tbody tr")).to_have_count(2)
    alice_tab.get_by_label("photo.jpg").check()

    alice_tab.go_back()

    expect(alice_tab.locator(".files tbody tr")).to_have_count(3)  # one entry for all letters
    expect(search).to_have_value("")
    expect(total).to_contain_text("2 files")
    alice_tab.get_by_label("phone.txt").check()
    alice_tab.get_by_label("plan.pdf").uncheck()
    alice_tab.go_forward()
    expect(search).to_have_value("pho")
    expect(alice_tab.locator(".files tbody tr")).to_have_count(2)
    alice_tab.reload()
    expect(alice_tab.locator(".files").get_by_label("photo.jpg")).to_be_checked()
    expect(total).to_contain_text("2 files")


def test_ticks_survive_a_new_sign_in(
    alice_tab: Page, live_server: Any, refusals: Any, console_messages: list[str]
) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf")
    alice_tab.goto(live_server.url)
    alice_tab.get_by_label("plan.pdf").check()
    alice_tab.context.clear_cookies()

    alice_tab.get_by_role("searchbox").fill("x")

    link = alice_tab.get_by_role("link", name="sign in")
    expect(link).to_have_attribute("href", re.compile(re.escape("%3Ffile%3D80000")))
    assert refusals()
    console_messages[:] = [
        said for said in console_messages if "401" not in said
    ]  # htmx logs it, too


def test_a_late_response_does_not_restore_ticks(alice_tab: Page, live_server: Any) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf")
    held: list[Route] = []
    alice_tab.goto(live_server.url)
    alice_tab.get_by_label("plan.pdf").check()
    alice_tab.route("**/?*search=pl*", lambda route: held.append(route))
    with alice_tab.expect_request("**/?*search=pl*"):
        alice_tab.get_by_role("searchbox").fill("pl")

    alice_tab.get_by_label("plan.pdf").uncheck()
    held[0].continue_()

    expect(alice_tab.locator("#said")).to_have_text("1 file shown")
    expect(alice_tab.get_by_label("plan.pdf")).not_to_be_checked()


def test_enter_on_a_tick_does_not_reload_the_page(alice_tab: Page, live_server: Any) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf")
    alice_tab.goto(live_server.url)
    alice_tab.evaluate("window.same = true")

    alice_tab.get_by_label("plan.pdf").press("Enter")
    alice_tab.get_by_label("plan.pdf").press("Space")

    expect(alice_tab.locator(".basket [data-total]")).to_contain_text("1 file")
    assert alice_tab.evaluate("window.same")


def test_the_newest_search_wins_without_an_error(
    alice_tab: Page, live_server: Any, console_messages: list[str]
) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf", content_type="application/pdf")
    StoredFileFactory(file_id=80_001, name="photo.jpg", content_type="image/jpeg")
    held: list[Route] = []
    alice_tab.route("**/?*type=*", lambda route: held.append(route))
    alice_tab.goto(live_server.url)
    with alice_tab.expect_request("**/?*type=pdf*"):
        alice_tab.get_by_role("button", name="PDF").click()

    with alice_tab.expect_event("requestfailed"), alice_tab.expect_request("**/?*type=picture*"):
        alice_tab.get_by_role("button", name="Pictures").click()

    assert alice_tab.locator("#unanswered").is_hidden()
    held[-1].continue_()
    expect(alice_tab.locator(".files tbody tr")).to_have_count(1)
    assert alice_tab.url.endswith("?type=picture")
    assert {said.partition(",")[0] for said in console_messages} == {
        "htmx:afterRequest",
        "htmx:sendAbort",
    }
    console_messages.clear()


@pytest.mark.parametrize("width", [320, 1200])
def test_the_largest_count_does_not_cover_the_account(
    alice_tab: Page, alice: User, live_server: Any, width: int
) -> None:
    alice_tab.set_viewport_size({"width": width, "height": 800})
    JobFactory.create_batch(100, owner=alice)
    alice_tab.goto(f"{live_server.url}/downloads?search=none")

    count = alice_tab.locator("#active")
    expect(count).to_contain_text("99+")
    ours, account = count.bounding_box(), alice_tab.locator(".menu summary").bounding_box()
    assert ours
    assert account
    assert ours["x"] + ours["width"] < account["x"]
    assert alice_tab.evaluate("document.documentElement.scrollWidth") == width


def test_a_link_is_fetched_once_without_a_script(
    alice_tab: Page, alice: User, live_server: Any, broker: Any, new_context: Any
) -> None:
    context = new_context(java_script_enabled=False)
    context.add_cookies(alice_tab.context.cookies())
    plain = context.new_page()
    plain.goto(f"{live_server.url}/link?url={quote(LINK)}")

    plain.get_by_role("button", name="Fetch file").dblclick()

    expect(plain.get_by_role("heading", level=1)).to_have_text("frames.tar")
    assert DownloadJob.objects.get().params["url"] == LINK


def test_the_name_from_the_server_appears(alice_tab: Page, alice: User, live_server: Any) -> None:
    job: DownloadJob = RemoteJobFactory(owner=alice)
    job.claim(task_id="task-1", worker="worker@test")
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    expect(alice_tab.get_by_role("heading", level=1)).to_have_text("frames.tar")

    job.record(name="Frames of 2026.tar")

    expect(alice_tab.get_by_role("heading", level=1)).to_have_text("Frames of 2026.tar")
    expect(alice_tab).to_have_title(re.compile("Frames of 2026.tar"))


def test_print_and_forced_colours_show_a_download(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice, "n" * 176 + ".zip")
    alice_tab.emulate_media(media="print")
    alice_tab.goto(f"{live_server.url}/downloads/{job.pk}")
    shell, dot = alice_tab.locator("#command-1"), alice_tab.locator("#moves li").first
    colour = "dot => getComputedStyle(dot, '::before').backgroundColor"

    assert shell.evaluate("shell => shell.scrollWidth <= shell.clientWidth")
    alice_tab.emulate_media(media="screen", forced_colors="none")
    usual = dot.evaluate(colour)
    alice_tab.emulate_media(forced_colors="active")

    assert dot.evaluate(colour) == usual


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(
    alice_tab: Page, alice: User, live_server: Any, scheme: Any
) -> None:
    alice_tab.emulate_media(color_scheme=scheme)
    alice_tab.set_viewport_size({"width": 360, "height": 800})
    StoredFileFactory(file_id=80_000, name="a" * 250 + ".txt")
    jobs = [
        JobFactory(
            owner=alice, name="n" * 176 + ".zip", status=status, params={"file_ids": [80_000]}
        )
        for status in Status
    ]
    params = {"url": "https://example.org/" + "a" * 1_900, "threads": 16}
    jobs += [
        RemoteJobFactory(owner=alice, name="n" * 176 + ".tar", status=status, params=params)
        for status in (Status.PROCESSING, Status.COMPLETED)
    ]

    paths = ["/", "/?file=80000&search=x", "/link?threads=16", f"/link?job={jobs[-1].pk}"]
    for path in [*paths, "/downloads", *(f"/downloads/{job.pk}" for job in jobs)]:
        alice_tab.goto(live_server.url + path)
        assert alice_tab.evaluate("document.documentElement.scrollWidth") == 360, path


def test_one_file_is_downloaded_as_it_is(alice_tab: Page, live_server: Any, bucket: Any) -> None:
    store(80_000, "plan.txt", b"hello")
    StoredFileFactory(file_id=80_001, name="photo.jpg")
    alice_tab.goto(live_server.url)
    start = alice_tab.locator("[data-make]")
    alice_tab.get_by_label("plan.txt", exact=False).first.check()
    expect(start).to_have_text("Download")
    alice_tab.get_by_label("File name").fill("Plans")
    expect(start).to_have_text("Create zip")
    alice_tab.get_by_label("File name").fill("")

    with alice_tab.expect_download() as started:
        start.click()

    assert started.value.suggested_filename == "plan.txt"
    assert started.value.path().read_bytes() == b"hello"
    alice_tab.get_by_role("checkbox", name="photo.jpg").check()
    expect(start).to_have_text("Create zip")


def test_a_sound_of_the_store_is_played(alice_tab: Page, live_server: Any, bucket: Any) -> None:
    sound = BytesIO()
    with wave.open(sound, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(1)
        written.setframerate(8_000)
        written.writeframes(bytes(8_000))
    store(80_000, "interview.wav", sound.getvalue(), content_type="audio/wav")

    alice_tab.goto(f"{live_server.url}/files/80000")

    player = alice_tab.locator("audio")
    expect(player).to_have_js_property("duration", 1)
    expect(player).to_have_js_property("error", None)


def test_tabs_keep_the_ticks_and_previews_are_ticked_one_by_one(
    alice_tab: Page, alice: User, live_server: Any
) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf")
    job = UploadJobFactory(owner=alice, status=Status.COMPLETED)
    StoredFile.objects.filter(pk=job.artifact_id).update(made_by=job)
    alice_tab.goto(live_server.url)
    basket = alice_tab.locator(".basket")
    alice_tab.get_by_label("plan.pdf").check()

    alice_tab.get_by_role("button", name="Mine").click()
    expect(alice_tab.locator(".files")).not_to_contain_text("plan.pdf")
    alice_tab.get_by_label("Select all on this page").check()
    expect(basket).to_contain_text("2 files")  # without the previews
    alice_tab.get_by_text("3 previews").click()
    alice_tab.get_by_label("facade-east large.jpg").check()
    expect(basket).to_contain_text("3 files")
    alice_tab.get_by_role("button", name="Shared").click()
    expect(alice_tab.locator(".files").get_by_label("plan.pdf")).to_be_checked()

    expect(basket).to_contain_text("3 files")
    expect(basket).to_contain_text("facade-east large.jpg")
    alice_tab.get_by_role("button", name="All files").click()
    expect(alice_tab.locator(".files").get_by_label("facade-east large.jpg")).to_be_checked()
    expect(alice_tab.locator("input[name=file]:checked")).to_have_count(3)
