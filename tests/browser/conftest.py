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

expect.set_options(timeout=15_000)  # ms: pages may poll every 5 s, on a busy machine
REFUSED = re.compile("the server responded with a status of 4")  # Chromium logs each


@pytest.fixture(scope="session", autouse=True)
def allow_queries_in_the_event_loop() -> Iterator[None]:
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
def console_messages() -> Iterator[list[str]]:
    """Collect the messages of the browser's console; the test fails if there are any."""
    said: list[str] = []
    yield said
    assert not said


@pytest.fixture
def refusals(console_messages: list[str]) -> Any:
    """Return a function that removes the messages about refused requests and counts them."""

    def take() -> int:
        refused = [text for text in console_messages if REFUSED.search(text)]
        console_messages[:] = [text for text in console_messages if text not in refused]
        return len(refused)

    return take


@pytest.fixture
def new_context(
    new_context: Callable[..., BrowserContext], console_messages: list[str]
) -> Callable[..., BrowserContext]:
    """Open a new browser context, and collect its console messages."""

    def make(**options: Any) -> BrowserContext:
        def listen(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                console_messages.append(message.text)

        context = new_context(**options)
        context.on("console", listen)
        context.on("weberror", lambda error: console_messages.append(str(error.error)))
        return context

    return make


@pytest.fixture
def alice_tab(
    transactional_db: None,
    alice: User,
    context: BrowserContext,
    live_server: Any,
) -> Page:
    """Open the start page in a tab of Alice."""
    from django.test import Client  # Django is not set up yet when pytest reads this file

    client = Client()
    client.force_login(alice)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}
    context.add_cookies([cookie])  # type: ignore[list-item]
    tab = context.new_page()
    tab.goto(live_server.url)
    return tab
