"""A browser that is signed in to a running service."""

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
    """Allow queries in this thread, where Playwright's event loop runs."""
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
    """Collect messages of the browser's console; the test fails if there are any."""
    said: list[str] = []
    yield said
    assert not said


@pytest.fixture
def refusals(complaints: list[str]) -> Any:
    """Return a function that removes messages about refused requests, and counts them."""

    def take() -> int:
        refused = [text for text in complaints if REFUSED.search(text)]
        complaints[:] = [text for text in complaints if text not in refused]
        return len(refused)

    return take


@pytest.fixture
def new_context(
    new_context: Callable[..., BrowserContext], complaints: list[str]
) -> Callable[..., BrowserContext]:
    """Open a new browser context, and collect the messages of its console."""

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
    """Open the start page in a tab of Alice's."""
    from django.test import Client  # Django is not ready yet when pytest reads this file

    client = Client()
    client.force_login(alice)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}
    context.add_cookies([cookie])  # type: ignore[list-item]
    tab = context.new_page()
    tab.goto(live_server.url)
    return tab
