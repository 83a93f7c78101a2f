"""What only a browser can tell: polling, the basket, and that the CSP lets all of it be."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Request, Route, expect

from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from tests.browser.looks import look
from tests.factories import (
    LINK,
    ArtifactFactory,
    JobFactory,
    RemoteJobFactory,
    StoredFileFactory,
)

pytestmark = pytest.mark.browser

POLL = re.compile("/(state|row)")


def counted(tab: Page) -> list[str]:
    """The polls from now on."""
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


def test_a_job_is_followed_until_it_is_ready_and_then_left_alone(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    of_alice.clock.install()
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    polls = counted(of_alice)

    job.heartbeat(done=400_000, message="Adding 1 of 2: a.txt")
    expect(of_alice.locator(".share")).to_have_text("40%")
    expect(of_alice.locator("#bar")).to_have_js_property("value", 40)
    expect(of_alice.locator("#moves .now")).to_contain_text("Adding 1 of 2: a.txt")
    expect(of_alice).to_have_title(re.compile("^40% Photos.zip"))
    finish(job)

    expect(of_alice.locator("#state-word")).to_have_text("Ready")
    expect(of_alice.get_by_role("link", name="Download 5 B")).to_be_visible()
    expect(of_alice.locator("#moves")).to_contain_text("Ready to download")
    expect(of_alice.locator("#said")).to_have_text("Ready")
    expect(of_alice.locator("#icon")).to_have_attribute("href", re.compile("icon-ready"))
    expect(of_alice.locator("#active")).to_be_hidden()
    assert polls
    polls.clear()
    of_alice.clock.fast_forward(60_000)
    assert not polls


def test_rows_are_followed_each_on_its_own(of_alice: Page, alice: User, live_server: Any) -> None:
    first, second = claimed(alice, "First.zip"), claimed(alice, "Second.zip")
    of_alice.goto(f"{live_server.url}/downloads")
    expect(of_alice.locator("#active")).to_contain_text("2")

    finish(first)

    expect(of_alice.locator(f"#job-{first.pk}")).to_contain_text("Ready")
    expect(of_alice.locator(f"#job-{second.pk}")).to_contain_text("Working")
    expect(of_alice.locator("#active")).to_contain_text("1")
    expect(of_alice.locator("#said")).to_have_text("First.zip: Ready")


def test_cancel_works_from_a_row_that_was_put_in_by_a_poll(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    of_alice.goto(f"{live_server.url}/downloads")
    job.heartbeat(done=400_000, message="Adding 1 of 2: a.txt")
    expect(of_alice.locator(f"#job-{job.pk}")).to_contain_text("Adding 1 of 2")

    of_alice.get_by_role("button", name="Cancel Photos.zip").click()

    expect(of_alice.locator("#state-word")).to_have_text("Cancelled")
    job.refresh_from_db()
    assert job.status == Status.CANCELLED


def test_somebody_signed_out_meanwhile_is_told_and_comes_back_to_the_same_page(
    of_alice: Page, alice: User, live_server: Any, complaints: list[str]
) -> None:
    job = claimed(alice)
    of_alice.clock.install()
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    cookies = of_alice.context.cookies()

    of_alice.context.clear_cookies()

    notice = of_alice.get_by_text("You're signed out.")
    expect(notice).to_be_visible()
    link = f"{live_server.url}/sign-in?next=%2Fdownloads%2F{job.pk}"
    expect(of_alice.get_by_role("link", name="sign in")).to_have_attribute("href", link)
    expect(of_alice.locator("#state-word")).to_have_text("Working")

    of_alice.context.add_cookies(cookies)  # signed in again, in another tab
    finish(job)
    of_alice.clock.fast_forward(30_000)

    expect(of_alice.locator("#state-word")).to_have_text("Ready")
    expect(notice).to_be_hidden()
    assert complaints
    assert all("401" in said for said in complaints)
    complaints.clear()


def test_a_download_that_is_gone_leaves_the_list_and_nothing_else(
    of_alice: Page, alice: User, live_server: Any, complaints: list[str]
) -> None:
    gone, other = claimed(alice, "Gone.zip"), claimed(alice, "Other.zip")
    of_alice.goto(f"{live_server.url}/downloads")
    of_alice.get_by_role("searchbox").fill("half a wo")

    gone.delete()
    look(of_alice)

    expect(of_alice.locator(f"#job-{gone.pk}")).to_have_count(0)
    expect(of_alice.locator(f"#job-{other.pk}")).to_contain_text("Working")
    expect(of_alice.get_by_role("searchbox")).to_have_value("half a wo")
    assert all("404" in said for said in complaints)
    complaints.clear()


def test_a_hidden_tab_asks_seldom_and_at_once_when_it_is_seen_again(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    of_alice.add_init_script("""
        let hidden = true;
        Object.defineProperty(document, "hidden", { get: () => hidden });
        window.reveal = () => {
          hidden = false;
          document.dispatchEvent(new Event("visibilitychange"));
        };
    """)
    of_alice.clock.install()
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    with of_alice.expect_request(POLL):
        of_alice.clock.run_for(5_000)
    polls = counted(of_alice)

    of_alice.clock.run_for(20_000)
    assert not polls
    finish(job)
    of_alice.evaluate("reveal()")

    expect(of_alice.locator("#state-word")).to_have_text("Ready")


def test_a_poll_that_is_refused_is_not_called_a_lost_connection(
    of_alice: Page, alice: User, live_server: Any, complaints: list[str]
) -> None:
    job = claimed(alice)
    of_alice.route(POLL, lambda route: route.fulfill(status=429))
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")

    expect(of_alice.get_by_text("The service is unavailable right now.")).to_be_visible()

    expect(of_alice.get_by_text("You're offline.")).to_be_hidden()
    complaints[:] = [said for said in complaints if "429" not in said]


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    of_alice: Page, alice: User, live_server: Any, complaints: list[str]
) -> None:
    job = claimed(alice)
    of_alice.clock.install()
    of_alice.route(POLL, lambda route: route.fulfill(status=503, headers={"Retry-After": "20"}))
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    of_alice.clock.run_for(2_000)
    busy = of_alice.get_by_text("The service is unavailable right now.")
    expect(busy).to_be_visible()
    polls = counted(of_alice)

    of_alice.clock.run_for(14_000)  # a quarter sooner or later, so that not all pages come at once
    assert not polls
    of_alice.unroute(POLL)
    finish(job)
    of_alice.clock.run_for(15_000)

    expect(of_alice.locator("#state-word")).to_have_text("Ready")
    expect(busy).to_be_hidden()
    complaints[:] = [said for said in complaints if "503" not in said]


def test_a_search_that_fails_asks_to_be_tried_again(
    of_alice: Page, complaints: list[str], live_server: Any
) -> None:
    of_alice.route("**/?*search=x*", lambda route: route.abort())

    of_alice.get_by_role("searchbox").fill("x")

    expect(of_alice.get_by_text("Try again in a moment.")).to_be_visible()
    of_alice.get_by_role("searchbox").fill("y")
    expect(of_alice.get_by_text("Try again in a moment.")).to_be_hidden()
    complaints.clear()


def test_what_is_selected_stays_selected_until_the_last_change(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    selected = "getSelection().toString().trim()"

    for place, text in {"#facts dd": str(job.pk), "#moves p": "Attempt 1 started"}.items():
        of_alice.locator(place).first.select_text()
        before = of_alice.evaluate(selected)
        job.heartbeat(done=job.done + 100_000, message=f"Adding to {place}")
        expect(of_alice.locator("#state")).to_contain_text(f"Adding to {place}")
        assert of_alice.evaluate(selected) == before
        assert text in before
    of_alice.locator(".head time").select_text()
    before = of_alice.evaluate(selected)
    finish(job)

    expect(of_alice.locator("#moves")).to_contain_text("Ready to download")
    assert of_alice.evaluate(selected) == before


def test_the_wait_for_the_next_attempt_is_counted_down(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    job.retry("storage_unavailable", "The file store did not answer.", after_seconds=30)
    of_alice.clock.install()
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    before = of_alice.locator("[data-countdown]").inner_text()

    of_alice.clock.run_for(10_000)

    after = of_alice.locator("[data-countdown]").inner_text()
    assert int(before.split()[0]) - int(after.split()[0]) in (9, 10, 11)
    expect(of_alice.locator("#state-word")).to_contain_text("Retrying in")


def test_how_long_ago_is_told_anew_in_a_page_left_open(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job: DownloadJob = JobFactory(owner=alice, status=Status.CANCELLED)
    of_alice.clock.install()
    of_alice.goto(f"{live_server.url}/downloads")
    when = of_alice.locator(f"#job-{job.pk} .when")
    expect(when).to_have_text("just now")

    of_alice.clock.fast_forward(300_000)

    expect(when).to_have_text("5\u00a0min ago")


def test_ticks_add_up_survive_paging_and_make_a_zip(
    of_alice: Page, alice: User, live_server: Any, broker: Any
) -> None:
    for n in range(30):
        StoredFileFactory(file_id=80_000 + n, size_bytes=1_200_000)
    of_alice.goto(live_server.url)

    of_alice.get_by_label("file-").first.check()
    expect(of_alice.locator("[data-total]")).to_have_text("1 file1.2\u00a0MB")
    of_alice.get_by_role("button", name="Older").click()
    expect(of_alice.locator(".files tbody tr")).to_have_count(5)
    of_alice.get_by_label("Select all on this page").check()
    expect(of_alice.locator("[data-total]")).to_have_text("6 files7.2\u00a0MB")
    assert "csrf" not in of_alice.url
    of_alice.get_by_label("File name").fill("Both pages")
    of_alice.get_by_label("File name").press("Enter")

    expect(of_alice.get_by_role("heading", level=1)).to_have_text("Both pages.zip")
    job = DownloadJob.objects.get()
    assert set(job.params["file_ids"]) == {80_029, *range(80_000, 80_005)}


def test_the_link_and_the_commands_are_copied(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    of_alice.context.grant_permissions(["clipboard-read", "clipboard-write"])
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}?from=somewhere")
    copied = "navigator.clipboard.readText()"

    of_alice.get_by_role("button", name="Copy link").click()
    expect(of_alice.get_by_role("button", name="Copied")).to_be_visible()
    assert of_alice.evaluate(copied) == f"{live_server.url}/downloads/{job.pk}"
    of_alice.get_by_role("button", name="Copy", exact=True).first.click()
    expect(of_alice.locator("#said")).to_have_text("Copied")
    assert of_alice.evaluate(copied).startswith(f"curl -fLOJ {live_server.url}/v1/download/")


def test_a_link_is_copied_without_tls_too(of_alice: Page, alice: User, live_server: Any) -> None:
    job = claimed(alice)
    of_alice.add_init_script("Object.defineProperty(navigator, 'clipboard', { writable: true })")
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    expect(of_alice.get_by_role("button", name="Copy link")).to_be_visible()
    of_alice.evaluate("""addEventListener("copy", (event) => {
      window.copied = event.clipboardData.getData("text/plain");
    })""")

    of_alice.get_by_role("button", name="Copy link").click()

    expect(of_alice.get_by_role("button", name="Copied")).to_be_visible()
    assert of_alice.evaluate("copied") == f"{live_server.url}/downloads/{job.pk}"


def test_a_download_wished_for_starts_by_itself_and_only_once(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    page = f"{live_server.url}/downloads/{job.pk}"
    fetched: list[str] = []

    def answer(route: Route) -> None:
        fetched.append(route.request.url)
        route.fulfill(status=204)  # like a file, it leaves the page where it is

    of_alice.context.route(f"**/v1/download/{job.pk}", answer)
    of_alice.goto(page)
    other = of_alice.context.new_page()
    other.goto(page)

    of_alice.get_by_label("Download automatically when ready").check()
    of_alice.reload()
    expect(of_alice.get_by_label("Download automatically when ready")).to_be_checked()
    finish(job)

    for tab in (of_alice, other):
        expect(tab.locator("#state-word")).to_have_text("Ready")
        expect(tab.get_by_label("Download automatically when ready")).to_have_count(0)
    of_alice.goto(page)
    other.reload()
    assert len(fetched) == 1


def test_a_wish_is_ticked_and_unticked_in_every_tab(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    page = f"{live_server.url}/downloads/{claimed(alice).pk}"
    of_alice.goto(page)
    other = of_alice.context.new_page()
    other.goto(page)

    of_alice.get_by_label("Download automatically when ready").check()
    expect(other.get_by_label("Download automatically when ready")).to_be_checked()
    other.get_by_label("Download automatically when ready").uncheck()

    expect(of_alice.get_by_label("Download automatically when ready")).not_to_be_checked()


def test_a_browser_that_keeps_nothing_grants_a_wish_while_the_page_is_open(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice)
    of_alice.add_init_script("""Object.defineProperty(window, "localStorage", {
      get() { throw new DOMException("denied", "SecurityError"); }
    })""")
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    expect(of_alice.locator("[data-zone]")).to_have_text("Times are in your time zone.")
    of_alice.route(f"**/v1/download/{job.pk}", lambda route: route.fulfill(status=204))

    of_alice.get_by_label("Download automatically when ready").check()
    with of_alice.expect_request(f"**/v1/download/{job.pk}"):
        finish(job)

    expect(of_alice.locator("#state-word")).to_have_text("Ready")


def test_a_search_as_one_types_keeps_the_ticks_and_the_focus(
    of_alice: Page, live_server: Any, broker: Any
) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf", content_type="application/pdf")
    StoredFileFactory(file_id=80_001, name="photo.jpg", content_type="image/jpeg")
    of_alice.goto(live_server.url)
    search, basket = of_alice.get_by_role("searchbox"), of_alice.locator(".basket")

    of_alice.get_by_label("plan.pdf").check()
    search.press_sequentially("pho")
    expect(of_alice.locator(".files")).not_to_contain_text("plan.pdf")
    search.press("Enter")  # nothing is left to do
    expect(search).to_be_focused()
    expect(of_alice.locator("#said")).to_have_text("1 file shown")
    of_alice.get_by_label("photo.jpg").check()
    expect(basket).to_contain_text("plan.pdf")
    expect(basket).to_contain_text("2 files")
    search.fill("")
    expect(of_alice.locator(".files").get_by_label("plan.pdf")).to_be_checked()
    pictures = of_alice.get_by_role("button", name="Pictures")
    pictures.click()
    expect(pictures).to_have_attribute("aria-pressed", "true")
    expect(pictures).to_be_focused()
    assert "file=80000" in of_alice.url
    of_alice.reload()
    expect(basket).to_contain_text("2 files")
    of_alice.go_back()
    expect(of_alice.locator(".files")).to_contain_text("plan.pdf")
    of_alice.get_by_role("button", name="Create zip").click()

    expect(of_alice.get_by_role("heading", level=1)).to_have_text("2 files.zip")
    assert DownloadJob.objects.get().params["file_ids"] == [80_001, 80_000]


def test_back_and_loading_anew_keep_what_is_ticked_now(of_alice: Page, live_server: Any) -> None:
    for n, name in enumerate(["plan.pdf", "photo.jpg", "phone.txt"]):
        StoredFileFactory(file_id=80_000 + n, name=name)
    of_alice.goto(live_server.url)
    search, total = of_alice.get_by_role("searchbox"), of_alice.locator("[data-total]")
    of_alice.get_by_label("plan.pdf").check()
    search.press_sequentially("pho", delay=400)  # three searches
    expect(of_alice.locator(".files tbody tr")).to_have_count(2)
    of_alice.get_by_label("photo.jpg").check()

    of_alice.go_back()

    expect(of_alice.locator(".files tbody tr")).to_have_count(3)  # one step for all letters
    expect(search).to_have_value("")
    expect(total).to_contain_text("2 files")
    of_alice.get_by_label("phone.txt").check()
    of_alice.get_by_label("plan.pdf").uncheck()
    of_alice.go_forward()
    expect(search).to_have_value("pho")
    expect(of_alice.locator(".files tbody tr")).to_have_count(2)
    of_alice.reload()
    expect(of_alice.locator(".files").get_by_label("photo.jpg")).to_be_checked()
    expect(total).to_contain_text("2 files")


def test_who_signs_in_again_after_a_search_finds_the_ticks(
    of_alice: Page, live_server: Any, refusals: Any, complaints: list[str]
) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf")
    of_alice.goto(live_server.url)
    of_alice.get_by_label("plan.pdf").check()
    of_alice.context.clear_cookies()

    of_alice.get_by_role("searchbox").fill("x")

    link = of_alice.get_by_role("link", name="sign in")
    expect(link).to_have_attribute("href", re.compile(re.escape("%3Ffile%3D80000")))
    assert refusals()
    complaints[:] = [said for said in complaints if "401" not in said]  # htmx says so too


def test_an_answer_does_not_tick_again_what_was_unticked_meanwhile(
    of_alice: Page, live_server: Any
) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf")
    held: list[Route] = []
    of_alice.goto(live_server.url)
    of_alice.get_by_label("plan.pdf").check()
    of_alice.route("**/?*search=pl*", lambda route: held.append(route))
    with of_alice.expect_request("**/?*search=pl*"):
        of_alice.get_by_role("searchbox").fill("pl")

    of_alice.get_by_label("plan.pdf").uncheck()
    held[0].continue_()

    expect(of_alice.locator("#said")).to_have_text("1 file shown")
    expect(of_alice.get_by_label("plan.pdf")).not_to_be_checked()


def test_enter_on_a_tick_does_not_load_the_page_anew(of_alice: Page, live_server: Any) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf")
    of_alice.goto(live_server.url)
    of_alice.evaluate("window.same = true")

    of_alice.get_by_label("plan.pdf").press("Enter")
    of_alice.get_by_label("plan.pdf").press("Space")

    expect(of_alice.locator("[data-total]")).to_contain_text("1 file")
    assert of_alice.evaluate("window.same")


def test_the_newest_search_wins_and_raises_no_alarm(
    of_alice: Page, live_server: Any, complaints: list[str]
) -> None:
    StoredFileFactory(file_id=80_000, name="plan.pdf", content_type="application/pdf")
    StoredFileFactory(file_id=80_001, name="photo.jpg", content_type="image/jpeg")
    held: list[Route] = []
    of_alice.route("**/?*type=*", lambda route: held.append(route))
    of_alice.goto(live_server.url)
    with of_alice.expect_request("**/?*type=pdf*"):
        of_alice.get_by_role("button", name="PDF").click()

    with of_alice.expect_event("requestfailed"), of_alice.expect_request("**/?*type=picture*"):
        of_alice.get_by_role("button", name="Pictures").click()

    assert of_alice.locator("#unanswered").is_hidden()
    held[-1].continue_()
    expect(of_alice.locator(".files tbody tr")).to_have_count(1)
    assert of_alice.url.endswith("?type=picture")
    assert {said.partition(",")[0] for said in complaints} == {
        "htmx:afterRequest",
        "htmx:sendAbort",
    }
    complaints.clear()


@pytest.mark.parametrize("width", [320, 1200])
def test_the_largest_count_leaves_the_account_free(
    of_alice: Page, alice: User, live_server: Any, width: int
) -> None:
    of_alice.set_viewport_size({"width": width, "height": 800})
    JobFactory.create_batch(100, owner=alice)
    of_alice.goto(f"{live_server.url}/downloads?search=none")

    count = of_alice.locator("#active")
    expect(count).to_contain_text("99+")
    ours, account = count.bounding_box(), of_alice.locator(".menu summary").bounding_box()
    assert ours
    assert account
    assert ours["x"] + ours["width"] < account["x"]
    assert of_alice.evaluate("document.documentElement.scrollWidth") == width


def test_a_link_needs_no_script_and_is_asked_for_once(
    of_alice: Page, alice: User, live_server: Any, broker: Any, new_context: Any
) -> None:
    context = new_context(java_script_enabled=False)
    context.add_cookies(of_alice.context.cookies())
    plain = context.new_page()
    plain.goto(f"{live_server.url}/link?url={quote(LINK)}")

    plain.get_by_role("button", name="Fetch file").dblclick()

    expect(plain.get_by_role("heading", level=1)).to_have_text("frames.tar")
    assert DownloadJob.objects.get().params["url"] == LINK


def test_the_name_that_the_other_side_gives_appears_by_itself(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job: DownloadJob = RemoteJobFactory(owner=alice)
    job.claim(task_id="task-1", worker="worker@test")
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    expect(of_alice.get_by_role("heading", level=1)).to_have_text("frames.tar")

    job.record(name="Frames of 2026.tar")

    expect(of_alice.get_by_role("heading", level=1)).to_have_text("Frames of 2026.tar")
    expect(of_alice).to_have_title(re.compile("Frames of 2026.tar"))


def test_paper_and_forced_colours_show_all_of_a_download(
    of_alice: Page, alice: User, live_server: Any
) -> None:
    job = claimed(alice, "n" * 176 + ".zip")
    of_alice.emulate_media(media="print")
    of_alice.goto(f"{live_server.url}/downloads/{job.pk}")
    shell, dot = of_alice.locator("#command-2"), of_alice.locator("#moves li").first
    colour = "dot => getComputedStyle(dot, '::before').backgroundColor"

    assert shell.evaluate("shell => shell.scrollWidth <= shell.clientWidth")
    of_alice.emulate_media(media="screen", forced_colors="none")
    usual = dot.evaluate(colour)
    of_alice.emulate_media(forced_colors="active")

    assert dot.evaluate(colour) == usual


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(
    of_alice: Page, alice: User, live_server: Any, scheme: Any
) -> None:
    of_alice.emulate_media(color_scheme=scheme)
    of_alice.set_viewport_size({"width": 360, "height": 800})
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
        of_alice.goto(live_server.url + path)
        assert of_alice.evaluate("document.documentElement.scrollWidth") == 360, path
