"""Upload a file from the page with a browser that runs no scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs import storage
from jobs.models import DownloadJob, IncomingUpload
from tests.pages.looks import text


@pytest.fixture
def browser(alice: User, made_bucket: None, broker: Any) -> Iterator[Client]:
    """A client with the upload page open."""
    client = Client(enforce_csrf_checks=True, headers={"Accept": "text/html"})
    client.force_login(alice)
    client.get("/upload")
    yield client
    storage.delete_all_objects_but([], prefix="raw/")


def post(browser: Client, name: str, content: bytes, token: str = "") -> Any:
    token = token or browser.cookies["csrftoken"].value
    fields = (
        f'--cut\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{token}\r\n'
    )
    head = f'--cut\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = fields.encode() + head.encode() + content + b"\r\n--cut--\r\n"
    return browser.post("/upload", body, content_type="multipart/form-data; boundary=cut")


def test_a_form_redirects_to_the_page_of_its_job(browser: Client) -> None:
    response = post(browser, "notes.txt", b"words")

    job = DownloadJob.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"/downloads/{job.pk}")
    assert b"".join(storage.read_object(f"raw/{job.pk}/notes.txt")) == b"words"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("", b"", "Choose a file."),
        ("notes.txt", bytes(1_001), "A file may have at most 1,000 bytes."),
    ],
)
def test_an_invalid_file_has_an_error(
    browser: Client, settings: Any, name: str, content: bytes, sentence: str
) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000

    response = post(browser, name, content)

    assert response.status_code in (400, 413)
    assert sentence in text(response)
    assert DownloadJob.objects.count() == 0


def test_a_form_with_a_wrong_token_stores_nothing(browser: Client) -> None:
    response = post(browser, "notes.txt", b"words", token="x" * 32)

    assert response.status_code == 403
    assert "open for too long" in text(response)
    assert (DownloadJob.objects.count(), IncomingUpload.objects.count()) == (0, 0)


def test_an_anonymous_user_signs_in_and_returns(db: None) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="a"'
    body = b"--cut\r\n" + head + b"\r\n\r\nwords\r\n--cut--\r\n"
    client = Client(headers={"Accept": "text/html"})

    response = client.post("/upload", body, content_type="multipart/form-data; boundary=cut")

    assert response["Location"].startswith("/sign-in?next=/upload")
