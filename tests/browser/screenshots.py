"""`make screenshots`: a picture of each page, light and dark, wide and narrow, for the README.

Not a test, but it uses the fixtures of tests: the server, the rows, and the check of the console.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from jobs.models import DownloadJob
from tests.browser.exhibits import (
    LINK,
    NOW,
    SENDING,
    facade,
    fill,
    show,
    show_admin,
    show_running_service,
    show_upload,
)
from tests.browser.small_png import shrink
from tests.browser.test_uploading import choose
from tests.factories import UserFactory

HERE = Path(__file__).parent
PICTURES = HERE.parent.parent / ".github" / "pages"
LOOKS = {
    "queued": "queued",
    "working": "working",
    "waiting": "trying-again",
    "ready": "ready",
    "failed": "failed",
}
# Freeze the page's clock, and let a script control the progress of uploads.
HOLD = """() => {
  const held = [];
  let now = 0;
  performance.now = () => now;
  XMLHttpRequest.prototype.send = function () { held.push(this); };
  window.goOn = async (seconds, gone) => {
    while (held.length < gone.length) await new Promise(requestAnimationFrame);
    now += 1000 * seconds;
    gone.forEach((loaded, which) => held[which].upload.onprogress({ loaded }));
  };
}"""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    grey = [*browser_type_launch_args["args"], "--disable-lcd-text"]  # halves the number of colours
    fonts = {"FONTCONFIG_FILE": str(HERE / "fonts.conf")}
    return browser_type_launch_args | {"args": grey, "env": os.environ | fonts}


@pytest.fixture
def browser_context_args(
    browser_context_args: dict[str, Any], settings: Any, theme: str
) -> dict[str, Any]:
    settings.USE_X_FORWARDED_HOST, settings.ALLOWED_HOSTS = True, ["*"]
    calm = {"reduced_motion": "reduce", "locale": "en-GB", "timezone_id": "UTC"}
    at_home = {"extra_http_headers": {"X-Forwarded-Host": "downloads.example.org"}}
    return browser_context_args | calm | at_home | {"color_scheme": theme}


@pytest.fixture
def alice(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> User:
    """Create the user of the pages, and fix the time."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    names = {"first_name": "Alice", "last_name": "Marsh", "email": "alice@example.org"}
    user: User = UserFactory(username="alice", **names)
    return user


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_shot(alice_tab: Page, alice: User, live_server: Any, theme: str) -> None:
    alice_tab.clock.set_fixed_time(NOW)
    shoot(alice_tab, live_server.url + "/downloads", f"empty-{theme}")
    jobs = fill(alice)
    ticked = "/?" + "&".join(f"file={number}" for number in (70_311, 70_310, 70_309, 70_298))
    paths = {"choose": ticked, "link": "/link", "report": "/reports", "downloads": "/downloads"}
    paths |= {name: f"/downloads/{jobs[look].pk}" for look, name in LOOKS.items()}
    for name, path in paths.items():
        shoot(alice_tab, live_server.url + path, f"{name}-{theme}")
    alice_tab.set_viewport_size({"width": 390, "height": 844})
    for name in ("choose", "downloads", "working", *(["link"] if theme == "light" else [])):
        shoot(alice_tab, live_server.url + paths[name], f"{name}-{theme}-390", full_page=False)
    alice_tab.set_viewport_size({"width": 1280, "height": 720})
    fetched = show(LINK, alice)
    shoot(alice_tab, f"{live_server.url}/downloads/{fetched.pk}", f"link-working-{theme}")
    uploaded = show_upload(alice)
    square = facade()
    alice_tab.route("**/files/*", lambda route: route.fulfill(body=square))
    shoot(alice_tab, f"{live_server.url}/downloads/{uploaded.pk}", f"uploaded-{theme}")
    alice_tab.goto(f"{live_server.url}/upload")
    send(alice_tab, uploaded)
    take(alice_tab, f"upload-{theme}")
    alice_tab.set_viewport_size({"width": 390, "height": 844})
    take(alice_tab, f"upload-{theme}-390", full_page=False)
    alice_tab.set_viewport_size({"width": 1280, "height": 720})
    alice_tab.context.clear_cookies()
    shoot(alice_tab, live_server.url + "/sign-in", f"sign-in-{theme}")


def shoot(tab: Page, url: str, name: str, *, full_page: bool = True) -> None:
    tab.goto(url)
    take(tab, name, full_page=full_page)


def send(tab: Page, sent: DownloadJob) -> None:
    """Show an upload page with a finished file and others in progress, at a fixed time."""
    response = {"jobId": str(sent.pk)}
    tab.route("**/upload", lambda route: route.fulfill(status=202, json=response))
    choose(tab, (sent.name, b"x"))
    tab.get_by_role("img").wait_for()
    tab.evaluate(HOLD)
    choose(tab, *((name, bytes(size)) for name, (size, _, _) in SENDING.items()))
    for moment, seconds in ((1, 0), (2, 4)):
        tab.evaluate(
            "gone => goOn(...gone)", [seconds, [gone[moment] for gone in SENDING.values()]]
        )
        expect(tab.locator("#sent")).to_contain_text("0.8 of" if moment == 1 else "left")


def take(tab: Page, name: str, *, full_page: bool = True) -> None:
    picture = tab.screenshot(full_page=full_page, animations="disabled")
    (PICTURES / f"{name}.png").write_bytes(shrink(picture, tab.context))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_admin_is_shot(
    alice_tab: Page, alice: User, live_server: Any, theme: str, bucket: Any
) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    alice_tab.clock.set_fixed_time(NOW)
    paths = show_admin(alice)
    for name, path in [*paths.items(), ("overview", "/admin/")]:
        if name == "overview":
            show_running_service()
        for width, suffix in ((1280, ""), (390, "-390")):
            alice_tab.set_viewport_size({"width": width, "height": 844})
            is_whole = name in ("overview", "job") and not suffix
            url = live_server.url + path
            shoot(alice_tab, url, f"admin-{name}-{theme}{suffix}", full_page=is_whole)
    alice_tab.context.clear_cookies()
    shoot(alice_tab, f"{live_server.url}/admin/login/", f"admin-log-in-{theme}", full_page=False)
