"""The fields that every form has: the e-mail box and the start time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs import storage
from jobs.models import DownloadJob, Preferences
from tests.factories import LINK, StoredFileFactory
from tests.pages.looks import BROWSER, text

# For each form: its page, its address, and the least data it needs.
FORMS: list[tuple[str, str, dict[str, Any]]] = [
    ("/", "/downloads", {"file": ["80000", "80001"]}),
    ("/link", "/link", {"url": LINK}),
    ("/reports", "/reports", {"period": "7d", "as": "pdf"}),
]
PAGES = [*(page for page, _, _ in FORMS), "/upload"]
SOON = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
TICKED, UNTICKED = ["false", "true"], ["false"]
BOX = r'<input type="checkbox" name="email" value="true"( checked)?>'

each_form = pytest.mark.parametrize(("page", "address", "form_data"), FORMS, ids=PAGES[:3])
each_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture(autouse=True)
def file(db: None) -> None:
    StoredFileFactory(file_id=80_000)


@pytest.fixture
def mailed(alice: User) -> User:
    """Return Alice with an e-mail address."""
    User.objects.update(email="alice@example.org")
    return alice


def is_ticked(response: Any) -> bool:
    box = re.search(BOX, text(response))
    assert box
    return bool(box[1])


@each_page
@pytest.mark.parametrize("wants", [True, False])
def test_the_box_is_ticked_as_in_the_settings(
    visitor: Client, mailed: User, page: str, wants: bool
) -> None:
    Preferences.objects.create(owner=mailed, email=wants)

    response = visitor.get(page)

    assert is_ticked(response) == wants
    assert "send a link to alice@example.org." in text(response)


@each_page
def test_there_is_no_box_without_an_address(visitor: Client, page: str) -> None:
    assert 'name="email"' not in text(visitor.get(page))


@each_form
@pytest.mark.parametrize("usual", [True, False])
@pytest.mark.parametrize("given", [TICKED, UNTICKED])
def test_the_box_overrides_the_settings(
    visitor: Client, mailed: User, broker: Any, page: str, address: str, form_data: Any,
    given: list[str], usual: bool,
) -> None:  # fmt: skip
    Preferences.objects.create(owner=mailed, email=usual)

    assert visitor.post(address, form_data | {"email": given}).status_code == 303

    assert DownloadJob.objects.get().email == (given == TICKED)


@each_form
def test_a_value_without_a_box_is_ignored(
    visitor: Client, broker: Any, page: str, address: str, form_data: Any
) -> None:
    assert visitor.post(address, form_data | {"email": TICKED}).status_code == 303

    assert not DownloadJob.objects.get().email


@each_form
@pytest.mark.parametrize(
    "text", ["{:%Y-%m-%dT%H:%M}", "{:%Y-%m-%dT%H:%M:%S}", "{:%Y-%m-%dT%H:%M:%S.000Z}"]
)
def test_a_time_without_a_zone_is_utc(
    visitor: Client, broker: Any, page: str, address: str, form_data: Any, text: str
) -> None:
    visitor.post(address, form_data | {"runAt": text.format(SOON)})

    job = DownloadJob.objects.get()
    assert job.run_at == job.available_at == SOON


@each_form
def test_an_empty_time_starts_at_once(
    visitor: Client, broker: Any, page: str, address: str, form_data: Any
) -> None:
    visitor.post(address, form_data | {"runAt": " "})

    assert DownloadJob.objects.get().run_at is None


@each_form
@pytest.mark.parametrize(
    ("run_at", "sentence", "shown"),
    [
        ("2199-01-01T06:00", "Choose a time within a year.", "2199-01-01T06:00"),
        ("2199-01-01T06:00:00.000Z", "Choose a time within a year.", "2199-01-01T06:00"),
        ("tomorrow", "Choose a date and time", "tomorrow"),
        ("2026-02-30T06:00", "Choose a date and time", "2026-02-30T06:00"),
        ("9999-12-31T23:59:59-23:59", "Choose a date and time", "9999-12-31T23:59:59-23:59"),
    ],
)
def test_an_invalid_time_has_an_error_and_all_values_are_kept(
    visitor: Client, mailed: User, page: str, address: str, form_data: Any,
    run_at: str, sentence: str, shown: str,
) -> None:  # fmt: skip
    response = visitor.post(address, form_data | {"runAt": run_at, "email": TICKED})

    html = text(response)
    assert response.status_code == 400
    assert not DownloadJob.objects.exists()
    assert 'id="runAt-error" role="alert"' in html
    assert sentence in html
    assert f'name="runAt" value="{shown}"' in html
    assert is_ticked(response)
    assert '<details class="more" open>' in html


@each_page
def test_the_page_names_the_time_zone(visitor: Client, page: str) -> None:
    html = text(visitor.get(page))

    assert re.search(
        r"<p [^>]*><span data-own-zone>In UTC.</span> Leave empty to start now.</p>", html
    )


def test_a_search_keeps_the_fields(visitor: Client, mailed: User) -> None:
    Preferences.objects.create(owner=mailed, email=True)
    when = f"{SOON:%Y-%m-%dT%H:%M}"

    found = visitor.get("/", {"search": "x", "email": UNTICKED, "runAt": when})

    assert not is_ticked(found)
    assert f'name="runAt" value="{when}" data-at="{SOON.isoformat()}"' in text(found)


def test_sign_in_keeps_the_fields(mailed: User) -> None:
    client, login = Client(headers=BROWSER), {"username": "alice", "password": "correct horse"}
    Preferences.objects.create(owner=mailed, email=True)

    to_sign_in = client.post("/link", {"url": LINK, "email": UNTICKED})["Location"]
    form = client.get(to_sign_in)
    back = client.post("/sign-in", login | {"next": form.context["next"]})["Location"]

    assert not is_ticked(client.get(back))


# A form without a script sends each field once


@pytest.fixture
def sender(visitor: Client, made_bucket: None, broker: Any) -> Any:
    def send(**fields: str) -> Any:
        boxes = [f'form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
        file = 'form-data; name="file"; filename="a.txt"\r\n\r\nwords'
        parts = "".join(f"--cut\r\nContent-Disposition: {part}\r\n" for part in [*boxes, file])
        return visitor.post(
            "/upload",
            f"{parts}--cut--\r\n".encode(),
            content_type="multipart/form-data; boundary=cut",
        )

    yield send
    storage.delete_all_objects_but([], prefix="raw/")


@pytest.mark.parametrize("fields", [{}, {"email": "true"}])
def test_the_box_applies_to_uploads(sender: Any, mailed: User, fields: dict[str, str]) -> None:
    Preferences.objects.create(owner=mailed, email=not fields)

    assert sender(**fields, runAt="").status_code == 303

    job = DownloadJob.objects.get()
    assert job.email == bool(fields)
    assert job.run_at is None


def test_an_upload_can_be_scheduled(sender: Any) -> None:
    sender(runAt=f"{SOON:%Y-%m-%dT%H:%M}")

    assert DownloadJob.objects.get().run_at == SOON


def test_an_invalid_time_stores_no_file(sender: Any, mailed: User) -> None:
    response = sender(runAt="2199-01-01T06:00", email="true")

    assert response.status_code == 400
    assert "Choose a time within a year." in text(response)
    assert is_ticked(response)
    assert 'name="runAt" value="2199-01-01T06:00"' in text(response)
    assert not DownloadJob.objects.exists()


def test_a_clock_change_is_no_error(visitor: Client, broker: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    with timezone.override("Europe/Berlin"):
        given = {"url": LINK, "runAt": "2026-03-29T02:30"}  # it does not exist in that zone
        assert visitor.post("/link", given).status_code == 303

    assert DownloadJob.objects.get().run_at in (None, datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
