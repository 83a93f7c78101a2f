"""examples/react: a client of another origin, built as its README says, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import DownloadJob, StoredFile
from tests import node
from tests.browser.service import Service
from tests.factories import make_key, store
from tests.live import ROOT

pytestmark = pytest.mark.browser

EXAMPLE = ROOT / "examples/react"
NAMES = [f"photo-{number:02}.jpg" for number in range(1, 13)]
CONTENT = b"the same bytes " * 13_000
LONG = 60_000  # ms: on a busy machine


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the page, built with the commands of the README."""
    npm = node.npm_path()
    folder = tmp_path_factory.mktemp("react") / "react"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "app.js"))
    commands = re.findall(r"^\$ npm (.*)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    assert commands == ["ci --ignore-scripts", "run build", "start"]
    for command in commands[:-1]:
        done = subprocess.run([npm, *command.split()], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            give_up = pytest.fail if os.environ.get(node.IS_REQUIRED) else pytest.skip
            give_up(f"npm {command}: {done.stderr[-500:]}")
    return folder / "public"


@pytest.fixture(scope="module")
def origin(built: Path) -> Iterator[str]:
    """Serve the page, and return its origin."""
    handler = partial(QuietHandler, directory=built)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def started(
    browser: Browser,
    origin: str,
    django_db_setup: None,
    made_bucket: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"))
    service.env["CORS_ALLOWED_ORIGINS"] = origin
    try:
        service.begin()
        yield service
    finally:
        service.stop()


@pytest.fixture
def service(transactional_db: None, started: Service) -> Iterator[Service]:
    """Return the service with twelve files in its catalogue."""
    for number, name in enumerate(NAMES, 70_000):
        store(number, name, CONTENT)
    yield started
    started.store.pass_on()


def connect(page: Page, origin: str, service: Service, token: str) -> None:
    page.goto(origin)
    page.get_by_label("Service").fill(service.url)
    page.get_by_label("Token or key").fill(token)
    page.get_by_role("button", name="Connect").click()


def token_of(user: User) -> str:
    return str(AccessToken.for_user(user))


def key_of(user: User) -> str:
    return make_key(user, "read", "start")


@pytest.mark.parametrize("credential", [token_of, key_of])
def test_it_lists_starts_follows_and_fetches(
    page: Page, origin: str, service: Service, alice: User, credential: Callable[[User], str]
) -> None:
    seen: list[tuple[str, int]] = []
    page.on("response", lambda answer: seen.append((answer.url, answer.status)))
    service.store.throttle(len(CONTENT) / 4)  # the zip takes seconds

    connect(page, origin, service, credential(alice))
    for name in NAMES:
        page.get_by_label(name).check()
    page.get_by_role("button", name="Create zip").click()
    expect(page.get_by_role("status")).to_contain_text("processing", timeout=LONG)
    expect(page.locator("progress:not([value='0']):not([value='1'])")).to_be_visible(timeout=LONG)
    service.store.pass_on()
    expect(page.get_by_role("status")).to_contain_text("completed", timeout=LONG)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save").click()

    with ZipFile(download.value.path()) as archive:
        assert sorted(archive.namelist()) == NAMES
        assert archive.read(NAMES[0]) == CONTENT
    job = DownloadJob.objects.get()
    assert job.owner == alice
    streams = [status for url, status in seen if f"/v1/download/events/{job.pk}" in url]
    assert streams == [200]  # one stream, to the end
    stored = [url for url, _ in seen if url.startswith(service.env["S3_PUBLIC_ENDPOINT_URL"])]
    assert len(stored) == 1
    assert not [url for url, status in seen if url.startswith(service.url) and status >= 400]


def test_a_wrong_token_is_told_in_the_services_words(
    page: Page, origin: str, service: Service, refusals: Any
) -> None:
    connect(page, origin, service, "wrong")

    expect(page.get_by_role("alert")).to_contain_text("token", ignore_case=True)
    assert refusals() == 1


def test_a_refused_request_names_the_field(
    page: Page, origin: str, service: Service, alice: User, refusals: Any
) -> None:
    connect(page, origin, service, token_of(alice))
    page.get_by_role("button", name="Create zip").click()

    expect(page.get_by_role("alert")).to_contain_text("not valid. ")
    assert refusals() == 1


def test_a_failed_job_is_told_with_its_error(
    page: Page, origin: str, service: Service, alice: User, refusals: Any
) -> None:
    connect(page, origin, service, token_of(alice))
    page.get_by_label(NAMES[0]).check()
    StoredFile.objects.filter(name=NAMES[0]).delete()
    page.get_by_role("button", name="Create zip").click()

    expect(page.get_by_role("alert")).to_contain_text("70000", timeout=LONG)
    expect(page.get_by_role("status")).to_contain_text("failed")
    assert refusals() == 1


def test_another_origin_is_refused(
    page: Page, origin: str, service: Service, alice: User, console_messages: list[str]
) -> None:
    connect(page, origin.replace("127.0.0.1", "localhost"), service, "x")

    expect(page.get_by_role("alert")).to_have_text("Failed to fetch")
    assert any("CORS policy" in text for text in console_messages)
    console_messages.clear()


def test_it_has_fewer_than_80_lines_and_names_no_registry() -> None:
    code = (EXAMPLE / "App.jsx").read_text().splitlines()
    lock = (EXAMPLE / "package-lock.json").read_text()

    assert len(code) < 80
    assert max(map(len, code)) <= 110
    assert "resolved" not in lock
    assert "http" not in lock
