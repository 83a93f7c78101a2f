"""A user's steps in a browser with the real service, also while processes and servers fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from zipfile import ZipFile

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from jobs import storage
from jobs.models import DownloadJob, StoredFile
from jobs.states import Status
from tests.browser.service import Service
from tests.factories import store
from tests.hostile.content import File
from tests.hostile.refusals import refuses
from tests.hostile.server import Peer
from tests.live import until
from tests.uploads import picture

pytestmark = pytest.mark.browser

PHOTOS = [f"photo-{number:02}.jpg" for number in range(1, 13)]
PHOTO_BYTES = 200_000
SLOWLY = PHOTO_BYTES // 4  # bytes per second for each connection: a worker reads with four of them
LONG = 60_000  # ms: a rescue waits for the end of a lease, a retry for its delay
PERCENT = re.compile(r"^[1-9]\d?%$")
CONNECTIONS = re.compile(r"Connections\s+[1-4]\b")
PAIR = ("First", "Second")
LOST = re.compile("net::ERR_|^htmx:(sendError|afterRequest|timeout),")


@pytest.fixture(scope="module")
def started(
    browser: Browser,
    django_db_setup: None,
    made_bucket: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Start one service for all tests of this module: it starts slowly."""
    service = Service(tmp_path_factory.mktemp("service"))
    try:
        service.begin()
        yield service
    finally:
        service.stop()


@pytest.fixture
def photos(transactional_db: None, made_bucket: None) -> list[StoredFile]:
    content = bytes(range(256)) * 782
    named = enumerate(PHOTOS, 70_000)
    return [store(number, name, content[:PHOTO_BYTES]) for number, name in named]


@pytest.fixture
def service(photos: list[StoredFile], started: Service) -> Iterator[Service]:
    """Return the service with twelve photos in its catalogue."""
    yield started
    started.store.pass_on()


@pytest.fixture
def user_with_password(transactional_db: None, alice: User) -> User:
    """Return Alice, with a password for the sign-in page."""
    alice.password = make_password("correct horse", hasher=PBKDF2PasswordHasher())
    alice.save()
    return alice


@pytest.fixture
def lost_connections(console_messages: list[str]) -> Iterator[None]:
    """Remove Chromium's and htmx's messages about connections that the test breaks."""
    yield
    console_messages[:] = [text for text in console_messages if not LOST.search(text)]


@pytest.fixture
def tab(context: BrowserContext, user_with_password: User, service: Service) -> Page:
    """Return a tab in which Alice has just signed in."""
    return signed_in(context, service)


def signed_in(context: BrowserContext, service: Service) -> Page:
    tab = context.new_page()
    tab.goto(service.url)
    tab.get_by_label("Username").fill("alice")
    tab.get_by_label("Password").fill("correct horse")
    tab.get_by_role("button", name="Sign in").click()
    return tab


def make(tab: Page, service: Service, name: str = "Summer") -> None:
    """Choose all photos and create a zip. Its page opens."""
    tab.goto(service.url)
    for photo in PHOTOS:
        tab.get_by_label(photo).check()
    tab.get_by_label("File name").fill(name)
    tab.get_by_role("button", name="Create zip").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text(f"{name}.zip")


def make_slowly(tab: Page, service: Service, name: str = "Summer") -> None:
    """The same, slowly. Waits until there is progress."""
    service.store.throttle(SLOWLY)
    make(tab, service, name)
    expect(tab.get_by_text(PERCENT)).to_be_visible(timeout=LONG)


def wait_for_state(tab: Page, word: str) -> None:
    """Wait until the card shows this state."""
    expect(tab.get_by_role("heading", name=word)).to_be_visible(timeout=LONG)


def assert_downloads(tab: Page, service: Service) -> None:
    """Assert that the browser saves the zip, from the store and with the right bytes."""
    with tab.expect_download() as started:
        tab.get_by_role("link", name=re.compile(r"^Download\b")).click()

    assert started.value.url.startswith(service.env["S3_PUBLIC_ENDPOINT_URL"])
    with ZipFile(started.value.path()) as archive:
        assert sorted(archive.namelist()) == PHOTOS
        assert {member.file_size for member in archive.infolist()} == {PHOTO_BYTES}
        assert archive.testzip() is None


@contextmanager
def no_page_load(tab: Page) -> Iterator[None]:
    """Assert that no page is loaded meanwhile."""
    loaded: list[str] = []
    tab.on("framenavigated", lambda frame: loaded.append(frame.url))
    yield
    assert not loaded


def test_zip_from_request_to_download(tab: Page, service: Service) -> None:
    make_slowly(tab, service)

    with no_page_load(tab):
        wait_for_state(tab, "Working")
        service.store.pass_on()
        wait_for_state(tab, "Ready")

    assert_downloads(tab, service)


def fetch(tab: Page, link: str) -> None:
    """Fetch the link. Its page opens."""
    tab.get_by_label("Web address").fill(link)
    tab.get_by_role("button", name="Fetch file").click()


def test_a_link_is_fetched_and_added_to_a_zip(tab: Page, service: Service) -> None:
    # At most four connections: the page has at least ten seconds to show them.
    file = File(size=6_000_000, rate=150_000, disposition='attachment; filename="Frames.bin"')
    tab.get_by_role("link", name="From a link").click()

    with Peer() as peer:
        fetch(tab, peer.serve("/get", file))
        expect(tab.get_by_role("heading", level=1)).to_have_text("Frames.bin")
        with no_page_load(tab):
            expect(tab.locator(".pairs > div").filter(has_text=CONNECTIONS)).to_be_visible()
            expect(tab.get_by_text(PERCENT)).to_be_visible(timeout=LONG)
            wait_for_state(tab, "Ready")

    with tab.expect_download() as started:
        tab.get_by_role("link", name="Download 6.0").click()
    assert sha256(started.value.path().read_bytes()).hexdigest() == file.sha256()
    tab.get_by_role("link", name=re.compile(r"^\d{7}$")).click()
    expect(tab.get_by_label("Frames.bin")).to_be_checked()


def test_a_link_that_fails_is_edited(tab: Page, service: Service) -> None:
    tab.get_by_role("link", name="From a link").click()

    with Peer() as peer:
        nowhere = peer.serve("/frames.bin", File(misbehave=refuses(404)))
        fetch(tab, nowhere)
        wait_for_state(tab, "Failed")
        tab.get_by_role("link", name="Edit the link").click()
        expect(tab.get_by_label("Web address")).to_have_value(nowhere)
        fetch(tab, peer.serve("/there.bin", File()))
        wait_for_state(tab, "Ready")

    statuses = DownloadJob.objects.order_by("created_at").values_list("name", "status")
    assert list(statuses) == [("frames.bin", Status.FAILED), ("there.bin", Status.COMPLETED)]


def test_a_picture_is_uploaded_with_previews(tab: Page, service: Service) -> None:
    tab.get_by_role("link", name="Upload").click()
    facade = {"name": "facade.jpg", "mimeType": "image/jpeg", "buffer": picture(1200, 800)}

    with no_page_load(tab):
        tab.locator("input[type=file]").set_input_files(facade)  # type: ignore[arg-type]
        expect(tab.locator("#sent")).to_contain_text("Ready", timeout=LONG)
        assert_loaded(tab.get_by_role("img", name="Preview of facade.jpg"))

    tab.get_by_role("link", name="facade.jpg", exact=True).click()
    wait_for_state(tab, "Ready")
    assert_loaded(tab.get_by_role("img", name="Large picture of facade.jpg"), width=1200)
    with tab.expect_download() as started:
        tab.get_by_role("link", name="Download Large picture").click()
    assert started.value.suggested_filename == "facade large.jpg"
    tab.get_by_role("link", name=re.compile(r"^\d{7}$")).last.click()
    expect(tab.get_by_label("facade.jpg")).to_be_checked()


def assert_loaded(image: Locator, width: int = 200) -> None:
    """Assert that the image was loaded from the store by a redirect, which the CSP allows."""
    image.scroll_into_view_if_needed()
    expect(image).to_have_js_property("complete", True)
    expect(image).to_have_js_property("naturalWidth", width)


def test_cancel_stops_a_running_job(tab: Page, service: Service) -> None:
    make_slowly(tab, service)

    tab.get_by_role("button", name="Cancel").click()

    wait_for_state(tab, "Cancelled")
    expect(tab.get_by_text("Cancelled by you")).to_be_visible()
    assert DownloadJob.objects.get().status == Status.CANCELLED


def test_a_failure_says_what_to_do_and_is_retried(
    tab: Page, service: Service, photos: list[StoredFile]
) -> None:
    lost = photos[3].key
    content = b"".join(storage.read_object(lost))
    storage.delete_object_and_uploads(lost)

    make(tab, service)
    wait_for_state(tab, "Failed")
    expect(tab.get_by_text("File 70003 could not be found.")).to_be_visible()
    expect(tab.get_by_text("We won't retry automatically.")).to_be_visible()
    storage.bucket().save(lost, ContentFile(content))
    tab.get_by_role("button", name="Retry").click()

    wait_for_state(tab, "Ready")
    assert_downloads(tab, service)


def test_a_job_is_retried_when_the_store_is_back(tab: Page, service: Service) -> None:
    service.store.refuse()
    make(tab, service)

    with no_page_load(tab):
        wait_for_state(tab, "Retrying")
        expect(tab.get_by_text("The file store could not be reached.").first).to_be_visible()
        service.store.pass_on()
        wait_for_state(tab, "Ready")


def test_two_jobs_show_their_own_progress(tab: Page, service: Service) -> None:
    make_slowly(tab, service, "First")
    make_slowly(tab, service, "Second")
    tab.get_by_role("link", name="My files").first.click()
    first, second = (
        tab.get_by_role("progressbar", name=f"Progress of {name}.zip") for name in PAIR
    )

    shares = [int(bar.get_attribute("value") or 0) for bar in (first, second)]

    assert shares[0] > shares[1] > 0
    service.store.pass_on()
    for name in PAIR:
        row = tab.get_by_role("listitem").filter(has_text=f"{name}.zip")
        expect(row).to_contain_text("Ready", timeout=LONG)


def test_a_worker_is_killed(tab: Page, service: Service) -> None:
    make_slowly(tab, service)

    with no_page_load(tab):
        service.kill(service.worker)
        service.store.pass_on()
        service.start_again(service.worker)
        wait_for_state(tab, "Ready")

    expect(tab.get_by_text("The worker stopped responding.")).to_be_visible()


def test_the_server_is_restarted(lost_connections: None, tab: Page, service: Service) -> None:
    make_slowly(tab, service)
    notice = tab.get_by_text("You're offline")

    with no_page_load(tab):
        service.kill(service.web)
        expect(notice).to_be_visible(timeout=LONG)
        service.start_again(service.web)
        expect(notice).to_be_hidden(timeout=LONG)
        service.store.pass_on()
        wait_for_state(tab, "Ready")


def test_an_open_page_survives_worker_and_server(
    lost_connections: None, tab: Page, service: Service
) -> None:
    make_slowly(tab, service)

    with no_page_load(tab):
        service.kill(service.worker)
        service.kill(service.web)
        expect(tab.get_by_text("You're offline")).to_be_visible(timeout=LONG)
        service.store.pass_on()
        service.start_again(service.worker)
        service.start_again(service.web)
        wait_for_state(tab, "Ready")

    expect(tab.get_by_text("The worker stopped responding.")).to_be_visible()
    assert_downloads(tab, service)


def test_a_reload_changes_nothing(tab: Page, service: Service) -> None:
    make_slowly(tab, service)

    tab.reload()
    expect(tab.get_by_text(PERCENT)).to_be_visible()
    service.store.pass_on()

    wait_for_state(tab, "Ready")
    assert DownloadJob.objects.count() == 1


def test_a_download_is_found_later(
    tab: Page, service: Service, new_context: Callable[..., BrowserContext]
) -> None:
    make_slowly(tab, service)
    cookies = tab.context.storage_state()
    tab.context.close()
    service.store.pass_on()
    until(DownloadJob.objects.filter(status=Status.COMPLETED).exists)

    later = new_context(storage_state=cookies).new_page()
    later.goto(service.url)
    later.get_by_role("link", name="My files").click()

    expect(later.get_by_role("listitem").filter(has_text="Summer.zip")).to_contain_text("Ready")
    assert_downloads(later, service)


def test_pages_work_without_a_script(
    user_with_password: User, service: Service, new_context: Callable[..., BrowserContext]
) -> None:
    tab = signed_in(new_context(java_script_enabled=False), service)
    make_slowly(tab, service, "Not this one")
    tab.get_by_role("button", name="Cancel").click()
    wait_for_state(tab, "Cancelled")
    make_slowly(tab, service)

    service.store.pass_on()
    wait_for_state(tab, "Ready")  # because the page refreshes itself

    assert_downloads(tab, service)


def test_pages_fit_a_phone(
    user_with_password: User, service: Service, new_context: Callable[..., BrowserContext]
) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    tab = signed_in(new_context(**phone), service)
    tab.wait_for_load_state()  # the script has run: it ticks the others
    tab.get_by_label("Select all on this page").tap()
    service.store.throttle(SLOWLY)
    tab.get_by_role("link", name="Continue").tap()
    tab.get_by_role("button", name="Create zip").tap()
    expect(tab.get_by_text(PERCENT)).to_be_visible(timeout=LONG)
    tab.get_by_role("link", name="My files").first.tap()
    tab.get_by_role("link", name=re.compile("and 11 more.zip")).tap()
    service.store.pass_on()
    wait_for_state(tab, "Ready")

    assert_downloads(tab, service)


def test_a_lost_network_is_reported_and_the_page_catches_up(
    lost_connections: None, tab: Page, service: Service
) -> None:
    make_slowly(tab, service)
    notice = tab.get_by_text("You're offline")

    with no_page_load(tab):
        tab.context.set_offline(True)
        expect(notice).to_be_visible(timeout=LONG)
        service.store.pass_on()
        until(DownloadJob.objects.filter(status=Status.COMPLETED).exists)
        tab.context.set_offline(False)
        wait_for_state(tab, "Ready")

    expect(notice).to_be_hidden()
