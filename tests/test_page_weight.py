"""The bytes of a page for a browser without a cache."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import DownloadJob
from jobs.states import Status
from tests.factories import JobFactory
from tests.live import ROOT, Live, on_this_database
from tests.pages.looks import BROWSER

pytestmark = pytest.mark.django_db(transaction=True)

MOST_BYTES = 50_000  # before files or downloads are listed
FETCHED = re.compile(r'<(?:link[^>]* href|script[^>]* src)="(/static/[^"]+)"')
SECRET_KEY = "of-this-test" * 6  # signs the session
ENV = {
    "development": {},
    "production": {
        "PRODUCTION": "true",
        "S3_PUBLIC_ENDPOINT_URL": "https://files.example.com",
        "BASE_URL": "https://downloads.example.com",
    },
}
OVER_TLS = {"X-Forwarded-Proto": "https", "Accept-Encoding": "gzip, deflate, br, zstd"}


@pytest.fixture(params=["development", "production"])
def live(request: Any, tmp_path: Path, alice: User, settings: Any) -> Iterator[Live]:
    """A web process, and a session of Alice, behind a proxy that terminates TLS."""
    settings.SECRET_KEY = SECRET_KEY
    live = Live(tmp_path, on_this_database() | {"SECRET_KEY": SECRET_KEY} | ENV[request.param])
    client = Client()
    client.force_login(alice)
    live.session.headers.update(
        BROWSER | OVER_TLS | {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
    )
    try:
        if request.param == "production":
            manage = [sys.executable, ROOT / "manage.py", "collectstatic", "--noinput"]
            subprocess.run(manage, env=os.environ | live.env, check=True, capture_output=True)
        live.start("web")
        yield live
    finally:
        live.stop()


@dataclass(frozen=True)
class Fetched:
    """A response, with the sizes of its headers and body as transferred."""

    headers: Mapping[str, str]
    text: str
    weight: int


def fetch(live: Live, path: str) -> Fetched:
    answer = live.session.get(live.url + path, timeout=10, allow_redirects=False, stream=True)
    assert answer.status_code == 200, path
    body = answer.raw.read(decode_content=False)
    lines = [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
    weight = sum(map(len, ["HTTP/1.1 200 OK\r\n", *lines, "\r\n", body]))
    is_packed = answer.headers.get("Content-Encoding") == "gzip"
    return Fetched(answer.headers, (gzip.decompress(body) if is_packed else body).decode(), weight)


def weight(live: Live, path: str) -> int:
    """Return the size of the page and of all its files, without a cache."""
    page = fetch(live, path)
    named = sorted(set(FETCHED.findall(page.text)))
    assert len(named) >= 2
    return page.weight + sum(fetch(live, name).weight for name in named)


def test_no_page_weighs_more_than_50_kb_before_files_are_listed(live: Live, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.PROCESSING)
    paths = ("/", "/link", "/upload", "/reports", "/settings", f"/downloads/{job.pk}")
    weights = {path: weight(live, path) for path in paths}
    DownloadJob.objects.all().delete()
    weights["/downloads"] = weight(live, "/downloads")
    del live.session.headers["Cookie"]
    weights["/sign-in"] = weight(live, "/sign-in")

    assert not {path: weight for path, weight in weights.items() if weight > MOST_BYTES}


def test_static_files_are_cached_until_they_change(live: Live) -> None:
    named = FETCHED.findall(fetch(live, "/").text)
    for name in named:
        headers = fetch(live, name).headers
        seen = {"If-Modified-Since": headers["Last-Modified"]}
        if "ETag" in headers:
            seen["If-None-Match"] = headers["ETag"]

        again = live.session.get(live.url + name, headers=seen, timeout=10)

        assert (again.status_code, again.content) == (304, b""), name
        hashed = "immutable" in headers["Cache-Control"]
        assert hashed == ("PRODUCTION" in live.env), name


def test_head_of_a_static_file_has_its_length(live: Live) -> None:
    name = FETCHED.findall(fetch(live, "/").text)[1]

    for _ in range(2):  # on one connection, which a body would break
        answer = live.session.head(live.url + name, timeout=10)
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0
