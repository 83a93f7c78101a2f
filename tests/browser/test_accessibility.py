"""axe-core finds no violation on any page, in either theme, wide or narrow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from jobs.engine.share_links import create_share_link
from jobs.models import Preferences, ShareLink
from jobs.notifications.account_links import confirm_email_link, new_password_link
from jobs.web.shared_links import share_token
from tests.browser.looks import LINK_FIELDS, LOOKS, REPORT_FIELDS, UPLOAD_FIELDS, job_that_is
from tests.factories import NotificationFactory, StoredFileFactory, make_key

pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
THEMES = ("light", "dark")
SIZES = ((1280, 800), (390, 844))


class Visit:
    """Alice's browser; each method opens another page."""

    def __init__(self, tab: Page, url: str, alice: User, bob: User, settings: Any) -> None:
        self.tab, self.url, self.alice, self.bob = tab, url, alice, bob
        self.settings = settings

    def go(self, path: str) -> None:
        self.tab.goto(self.url + path)

    def sign_in(self) -> None:
        self.tab.context.clear_cookies()
        self.go("/sign-in")

    def sign_in_with_provider(self) -> None:
        """Show the button, and that the provider is down."""
        self.settings.OIDC_ISSUER, self.settings.OIDC_NAME = "http://127.0.0.1:9", "Acme"
        self.sign_in()
        self.tab.get_by_role("link", name="Sign in with Acme").click()
        expect(self.tab.get_by_role("alert")).to_be_visible()

    def wrong_password(self) -> None:
        self.sign_in()
        self.tab.get_by_label("Username").fill("alice")
        self.tab.get_by_label("Password").fill("wrong")
        self.tab.get_by_role("button", name="Sign in").click()
        expect(self.tab.get_by_role("alert")).to_be_visible()

    def choose(self) -> None:
        User.objects.update(email="alice@example.org")
        for _ in range(30):  # more than one page of them
            StoredFileFactory()
        self.go("/")
        self.tab.get_by_label("Select all on this page").check()
        self.tab.get_by_text("Schedule", exact=True).click()

    def choose_nothing(self) -> None:
        StoredFileFactory()
        self.go("/")
        self.tab.get_by_role("button", name="Create zip").click()
        expect(self.tab.get_by_role("alert")).to_be_visible()

    def nothing_to_choose(self) -> None:
        self.go("/")

    def no_file_found(self) -> None:
        self.go("/?search=not_found")

    def stored_file(self) -> None:
        StoredFileFactory(file_id=80_000)
        self.go("/files/80000")

    def link(self) -> None:
        self.go("/link")

    def link_with_options(self) -> None:
        self.go("/link?threads=16")

    def wrong_link(self) -> None:
        self.link_with_options()
        self.tab.get_by_label("Expected SHA-256").fill("none")
        self.tab.get_by_role("button", name="Fetch file").click()
        expect(self.tab.get_by_role("alert")).to_have_count(2)

    def report(self) -> None:
        User.objects.update(email="alice@example.org", is_staff=True)
        self.go("/reports")

    def wrong_report(self) -> None:
        self.report()
        self.tab.get_by_text("Custom range").click()
        self.tab.get_by_label("To", exact=True).fill("")
        self.tab.get_by_text("Schedule", exact=True).click()
        self.tab.get_by_label("Start at").fill("2099-01-01T06:00")
        self.tab.get_by_role("button", name="Create report").click()
        expect(self.tab.get_by_role("alert")).to_have_count(2)

    def settings(self) -> None:
        """Show the settings with a delivery in each state."""
        User.objects.update(email="alice@example.org")
        Preferences.objects.create(owner=self.alice, webhook="https://example.org/hook/secret")
        NotificationFactory(owner=self.alice)
        NotificationFactory(owner=self.alice, tries=2, error="example.org returned 503.")
        NotificationFactory(owner=self.alice, state="failed", error="example.org returned 410.")
        NotificationFactory(owner=self.alice, channel="email", to="alice@example.org", sent=True)
        self.go("/settings")
        self.tab.get_by_text("Reveal secret").click()

    def deliveries(self) -> None:
        """Show webhooks with and without a response, one of them folded open."""
        answered = {"response_status": 500, "response_seconds": 0.2, "response_text": "no\nluck"}
        NotificationFactory(owner=self.alice, state="failed", error="It returned 500.", **answered)
        NotificationFactory(owner=self.alice, sent=True)
        self.go("/settings/deliveries")
        self.tab.get_by_text("Response: 500").click()

    def no_deliveries(self) -> None:
        self.go("/settings/deliveries")

    def wrong_settings(self) -> None:
        self.go("/settings")
        self.tab.get_by_label("Webhook URL").fill("http://10.0.0.1/")
        self.tab.get_by_role("button", name="Save").click()
        expect(self.tab.get_by_role("alert")).to_have_count(1)

    def wrong_account(self) -> None:
        """Show an address that waits for its confirmation, and a rejected password."""
        Preferences.objects.create(owner=self.alice, unconfirmed_email="alice@new.example")
        self.go("/settings")
        self.tab.get_by_label("New password", exact=True).fill("short")
        self.tab.get_by_role("button", name="Change password").click()
        expect(self.tab.get_by_role("alert")).to_have_count(2)

    def confirm_email(self) -> None:
        token = confirm_email_link(self.alice, "alice@new.example").partition("?")[2]
        self.go(f"/settings/email/confirm?{token}")

    def outdated_link(self) -> None:
        self.go("/settings/email/confirm?token=old")

    def reset_password(self) -> None:
        self.tab.context.clear_cookies()
        self.go("/sign-in")
        self.tab.get_by_role("link", name="Forgot your password?").click()
        self.tab.get_by_role("button", name="Send link").click()
        expect(self.tab.get_by_role("alert")).to_have_count(1)

    def reset_password_sent(self) -> None:
        self.go("/password-reset/sent")

    def new_password(self) -> None:
        self.go(new_password_link(self.alice).removeprefix(self.settings.BASE_URL))
        self.tab.get_by_role("button", name="Change password").click()
        expect(self.tab.get_by_role("alert")).to_have_count(2)

    def used_link(self) -> None:
        self.go("/password-reset/MQ?token=used")

    def keys(self) -> None:
        """Show a key in each state, and the form of a new one with its errors."""
        User.objects.update(is_staff=True)
        now = timezone.now()
        make_key(self.alice, "read", name="Nightly export", last_used_at=now)
        make_key(self.alice, "upload", name="Scanner", expires_at=now)
        make_key(self.alice, "read", "start", webhook="https://hooks.example.org/x", name="Shop")
        self.go("/settings")
        self.tab.get_by_text("Revoke…").first.click()
        self.new_key_form()
        for scope in ("read", "start"):
            self.tab.locator(f"#keys input[value={scope}]").uncheck()
        self.tab.get_by_label("Webhook of its downloads").fill("none")
        self.tab.get_by_role("button", name="Create key").click()
        expect(self.tab.get_by_role("alert")).to_have_count(3)

    def new_key_form(self) -> None:
        self.tab.get_by_text("Create a key").click()

    def new_key(self) -> None:
        self.go("/settings")
        self.new_key_form()
        form = self.tab.get_by_role("form", name="New API key")
        form.get_by_label("Name").fill("Nightly export")
        form.get_by_label("Webhook of its downloads").fill("https://hooks.example.org/x")
        form.get_by_role("button", name="Create key").click()
        expect(self.tab.get_by_text("It is not shown again.")).to_be_visible()

    def upload(self) -> None:
        User.objects.update(email="alice@example.org")
        self.go("/upload")
        self.tab.get_by_text("Schedule", exact=True).click()

    def send(self) -> None:
        """Show a row in each state that the page's script draws; all requests are intercepted."""
        self.upload()
        answers = iter([(422, "0"), (429, "3600"), (429, "900")])

        def answer(route: Route) -> None:
            status, later = next(answers, (0, ""))
            if status:
                problem = {"detail": "Send something else."}
                route.fulfill(status=status, json=problem, headers={"Retry-After": later})

        self.tab.route("**/upload", answer)
        files = [{"name": f"{n}.txt", "mimeType": "", "buffer": b"hello"} for n in range(8)]
        self.tab.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
        for word in ("Not accepted", "Failed", "Retrying", "Uploading", "Queued"):
            expect(self.tab.get_by_text(word).first).to_be_visible()
        self.tab.get_by_role("button", name="Cancel 7.txt").click()
        expect(self.tab.get_by_text("Cancelled", exact=True)).to_be_visible()

    def downloads(self) -> None:
        for look in LOOKS:
            job_that_is(look, self.alice)
            job_that_is(look, self.alice, **LINK_FIELDS)
            job_that_is(look, self.alice, **UPLOAD_FIELDS)
        self.go("/downloads")

    def deleted_downloads(self) -> None:
        """Show the list after a deletion, with its undo."""
        jobs = [job_that_is(look, self.alice) for look in ("ready", "failed", "expired")]
        self.go("/downloads")
        self.tab.get_by_label(f"Select {jobs[1].name}").check()
        self.tab.get_by_role("button", name="Delete selected").click()
        expect(self.tab.get_by_role("button", name="Undo")).to_be_visible()

    def share(self) -> None:
        """Show the page of a download with links, and the form for another one."""
        job = job_that_is("ready", self.alice)
        create_share_link(job, max_downloads=3, password="secret")
        create_share_link(job).revoke()
        self.go(f"/downloads/{job.pk}")
        self.tab.get_by_text("New link…").click()

    def shared(self) -> None:
        self.go(self._share_path(max_downloads=3))

    def shared_with_password(self) -> None:
        self.go(self._share_path(password="secret"))
        self.tab.get_by_label("Password").fill("guess")
        self.tab.get_by_role("button", name="Continue").click()
        expect(self.tab.get_by_role("alert")).to_be_visible()

    def ended_share_link(self) -> None:
        path = self._share_path()
        ShareLink.objects.get().revoke()
        self.go(path)

    def _share_path(self, **limits: Any) -> str:
        link = create_share_link(job_that_is("ready", self.bob), **limits)
        return f"/s/{share_token(link.pk)}"

    def no_downloads(self) -> None:
        self.go("/downloads")

    def no_download_found(self) -> None:
        job_that_is("ready", self.alice)
        self.go("/downloads?search=not_found")

    def not_found(self) -> None:
        self.go("/not_found")

    def job_of_another_user(self) -> None:
        self.go(f"/downloads/{job_that_is('ready', self.bob).pk}")


PAGES = [
    Visit.sign_in,
    Visit.wrong_password,
    Visit.sign_in_with_provider,
    Visit.choose,
    Visit.choose_nothing,
    Visit.nothing_to_choose,
    Visit.no_file_found,
    Visit.stored_file,
    Visit.link,
    Visit.link_with_options,
    Visit.wrong_link,
    Visit.report,
    Visit.wrong_report,
    Visit.settings,
    Visit.wrong_settings,
    Visit.keys,
    Visit.new_key,
    Visit.deliveries,
    Visit.no_deliveries,
    Visit.wrong_account,
    Visit.confirm_email,
    Visit.outdated_link,
    Visit.reset_password,
    Visit.reset_password_sent,
    Visit.new_password,
    Visit.used_link,
    Visit.upload,
    Visit.send,
    Visit.downloads,
    Visit.deleted_downloads,
    Visit.share,
    Visit.shared,
    Visit.shared_with_password,
    Visit.ended_share_link,
    Visit.no_downloads,
    Visit.no_download_found,
    Visit.not_found,
    Visit.job_of_another_user,
]


@pytest.fixture
def visit(alice_tab: Page, live_server: Any, alice: User, bob: User, settings: Any) -> Visit:
    return Visit(alice_tab, live_server.url, alice, bob, settings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_axe_finds_no_violation(page: Callable[[Visit], None], visit: Visit, refusals: Any) -> None:
    page(visit)

    assert findings(visit.tab) == []
    refusals()  # some of these pages have an error status


@pytest.mark.parametrize(
    ("look", "fields"),
    [
        *((look, {}) for look in LOOKS),
        *((look, LINK_FIELDS) for look in ("working", "ready", "failed")),
        *((look, UPLOAD_FIELDS) for look in ("ready", "failed", "expired")),
        *((look, REPORT_FIELDS) for look in ("working", "ready")),
    ],
    ids=lambda value: value if isinstance(value, str) else value.get("kind", "bundle"),
)
def test_axe_finds_no_violation_for_a_job(look: str, fields: dict[str, Any], visit: Visit) -> None:
    visit.go(f"/downloads/{job_that_is(look, visit.alice, **fields).pk}")

    assert findings(visit.tab) == []


def findings(tab: Page) -> list[str]:
    """Return a line for each element that violates a rule."""
    found = []
    for theme, (width, height) in product(THEMES, SIZES):
        tab.emulate_media(color_scheme=theme)
        tab.set_viewport_size({"width": width, "height": height})
        # Evaluated through the debugger, which the page's CSP does not block.
        checked = Axe().run(tab, options={"runOnly": {"type": "tag", "values": TAGS}})
        found += [
            f"{theme}, {width} px, {rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in checked.response["violations"]
            for node in rule["nodes"]
        ]
    return found
