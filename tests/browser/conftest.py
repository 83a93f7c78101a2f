"""A real browser, if this machine has one, signed in to a live server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.browser import chromium

if TYPE_CHECKING:
    from django.contrib.auth.models import User

expect.set_options(timeout=15_000)  # ms: a page may poll every 5 s, and processors be busy
REFUSED = re.compile("the server responded with a status of 4")  # Chromium notes each


@pytest.fixture(scope="session", autouse=True)
def queries_beside_the_browser() -> Iterator[None]:
    """Playwright runs a loop in this thread, which Django takes for asynchronous code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    flags.append("--disable-background-networking")
    return browser_type_launch_args | {"executable_path": chromium.path(), "args": flags}


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser's console says, policy violations above all; the test fails on any."""
    said: list[str] = []
    yield said
    assert not said


@pytest.fixture
def refusals(complaints: list[str]) -> Any:
    """Takes what Chromium noted about refusals, which are meant to be; the rest stays."""

    def take() -> int:
        refused = [text for text in complaints if REFUSED.search(text)]
        complaints[:] = [text for text in complaints if text not in refused]
        return len(refused)

    return take


@pytest.fixture
def new_context(
    new_context: Callable[..., BrowserContext], complaints: list[str]
) -> Callable[..., BrowserContext]:
    """Like a new person at the browser, whose console is heard."""

    def make(**options: Any) -> BrowserContext:
        def listen(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append(message.text)

        context = new_context(**options)
        context.on("console", listen)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        return context

    return make


@pytest.fixture
def of_alice(
    transactional_db: None,
    alice: User,
    context: BrowserContext,
    live_server: Any,
) -> Page:
    """A tab of hers at the start page."""
    from django.test import Client  # Django is not ready yet when pytest reads this file

    client = Client()
    client.force_login(alice)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}
    context.add_cookies([cookie])  # type: ignore[list-item]
    tab = context.new_page()
    tab.goto(live_server.url)
    return tab
