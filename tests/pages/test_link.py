"""The form that fetches a link."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from jobs.kinds.remote.params import THREADS
from jobs.models import DownloadJob
from tests.factories import LINK, JobFactory, RemoteJobFactory
from tests.pages.looks import BROWSER, of, text

SHA256 = "0123456789abcdef" * 4
FIELDS = ("url", "output", "threads", "sha256")
FULL = dict(zip(FIELDS, (LINK, "Frames.tar", "16", SHA256), strict=True))


def values(response: Any) -> dict[str, str]:
    """Return the values of the form's fields."""
    found = (re.search(rf'name="{name}" value="([^"]*)"', text(response)) for name in FIELDS)
    return {name: each[1] for name, each in zip(FIELDS, found, strict=True) if each}


def wrong(response: Any) -> set[str]:
    """Return the fields that have an error and refer to it."""
    html = text(response)
    with_errors = set(re.findall(r'id="(\w+)-error" role="alert"', html))
    pointed = set(re.findall(r'aria-invalid="true" aria-describedby="(\w+)-error[ "]', html))
    assert with_errors == pointed
    return with_errors


def refused(visitor: Client, form_data: dict[str, Any], status: int = 400) -> HttpResponse:
    """Submit, and assert that no job was created. Returns the page with the form."""
    response = visitor.post("/link", form_data)

    assert response.status_code == status
    assert not DownloadJob.objects.exists()
    return response


def test_a_long_signed_link_is_accepted_and_shown(visitor: Client) -> None:
    url = "https://data.example/a.csv?X-Amz-Signature=".ljust(8_000, "f")
    assert 'maxlength="8000"' in text(visitor.get("/link"))

    response = visitor.post("/link", {"url": url})

    assert response.status_code == 303
    assert DownloadJob.objects.get().params["url"] == url
    assert url in text(visitor.get(response["Location"]))
    assert "at most 8,000 characters" in text(visitor.post("/link", {"url": url + "f"}))


def test_both_forms_link_to_each_other(visitor: Client) -> None:
    files, link = text(visitor.get("/")), text(visitor.get("/link"))

    assert '<a href="/" aria-current="page"><svg' in files
    assert '<a href="/link"><svg' in files
    assert '<a href="/"><svg' in link
    assert '<a href="/link" aria-current="page"><svg' in link


def test_the_page_shows_the_limits_of_the_settings(visitor: Client, settings: Any) -> None:
    settings.REMOTE_MAX_BYTES, settings.RESULT_KEPT_SECONDS = 2_500_000_000, 7 * 24 * 3600

    html = text(visitor.get("/link")).replace("\u00a0", " ")

    assert "a single file, up to 2.5 GB." in html
    assert "keep it for 7 days." in html


def test_limits_are_shown_in_round_numbers(visitor: Client) -> None:
    html = text(visitor.get("/link")).replace("\u00a0", " ")

    assert "up to 5 GB." in html
    assert "keep it for 30 days." in html


def test_a_link_becomes_a_job(visitor: Client, alice: User, broker: Any) -> None:
    response = visitor.post("/link", {"url": f"  {LINK} ", "output": "", "sha256": ""})

    job = DownloadJob.objects.get()
    assert (response.status_code, response["Location"]) == (303, of(job))
    assert (job.owner, job.kind, job.name) == (alice, "remote", "frames.tar")
    assert job.params == {"url": LINK, "threads": THREADS}
    assert visitor.get(of(job)).status_code == 200


def test_all_fields_are_submitted(visitor: Client, alice: User, broker: Any) -> None:
    visitor.post("/link", FULL | {"sha256": SHA256.upper()})

    job = DownloadJob.objects.get()
    assert job.params == FULL | {"threads": 16}
    assert job.name == "Frames.tar"


def test_a_double_click_creates_one_job(visitor: Client, alice: User, broker: Any) -> None:
    found = re.search(r'action="(/link\?once=\w+)"', text(visitor.get("/link")))
    assert found

    first, second = (visitor.post(found[1], {"url": LINK}) for _ in range(2))
    other = visitor.post(found[1], {"url": LINK, "output": "other.tar"})

    assert first["Location"] == second["Location"] != other["Location"]
    assert DownloadJob.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"url": ""}, "url", "Enter a web address."),
        ({"url": "  "}, "url", "Enter a web address."),
        ({"url": None}, "url", "Enter a web address."),
        ({"url": LINK + "a" * 8_000}, "url", "Use at most 8,000 characters."),
        ({"url": "ftp://example.org/x"}, "url", "http:// or https://"),
        ({"url": "https://user:secret@example.org/x"}, "url", "password"),
        ({"url": "example.org/x"}, "url", "http:// or https://"),
        ({"output": "x" * 201}, "output", "Use at most 200 characters."),
        ({"output": "a\x00b"}, "output", "Use a different name"),
        ({"threads": "0"}, "threads", "Enter a number from 1 to 16."),
        ({"threads": "17"}, "threads", "Enter a number from 1 to 16."),
        ({"threads": "4.5"}, "threads", "Enter a number from 1 to 16."),
        ({"threads": "-1"}, "threads", "Enter a number from 1 to 16."),
        ({"threads": "٤"}, "threads", "Enter a number from 1 to 16."),
        ({"threads": "9" * 400}, "threads", "Enter a number from 1 to 16."),
        ({"sha256": "abc"}, "sha256", "64 hexadecimal digits"),
        ({"sha256": "g" * 64}, "sha256", "64 hexadecimal digits"),
        ({"sha256": SHA256 + "0"}, "sha256", "64 hexadecimal digits"),
    ],
)
def test_an_invalid_field_has_an_error_and_all_values_are_kept(
    visitor: Client, changes: dict[str, Any], field: str, sentence: str
) -> None:
    given = {name: text for name, text in (FULL | changes).items() if text is not None}

    response = refused(visitor, given)

    assert wrong(response) == {field}
    assert sentence in text(response)
    assert values(response) == {name: given.get(name, "").strip() for name in FIELDS}
    assert '<details class="more" open>' in text(response)


@pytest.mark.parametrize("url", ["http://10.0.0.1/x", "http://localhost/x", "http://[::1]/x"])
def test_a_private_address_is_422_with_an_error_at_the_link(visitor: Client, url: str) -> None:
    response = refused(visitor, FULL | {"url": url}, status=422)

    assert wrong(response) == {"url"}
    assert "not on the public internet" in text(response)
    assert values(response) == FULL | {"url": url}


def test_all_errors_are_shown_at_once(visitor: Client) -> None:
    response = refused(visitor, dict.fromkeys(FIELDS, "x" * 2_001))

    assert wrong(response) == set(FIELDS)


def test_a_private_address_also_shows_the_other_errors(visitor: Client) -> None:
    form_data = dict.fromkeys(FIELDS, "x" * 201) | {"url": "http://10.0.0.1/x"}

    response = refused(visitor, form_data, status=422)

    assert wrong(response) == set(FIELDS)
    assert "not on the public internet" in text(response)


def test_an_exceeded_limit_is_shown_and_values_are_kept(
    visitor: Client, alice: User, settings: Any
) -> None:
    settings.MAX_ACTIVE_JOBS = 1
    JobFactory(owner=alice)

    response = visitor.post("/link", FULL)

    assert response.status_code == 429
    assert "Wait for one to finish." in text(response)
    assert values(response) == FULL
    assert DownloadJob.objects.count() == 1


@pytest.mark.parametrize("url", [LINK, '"><script>alert(1)</script>', "", "a" * 3_000])
def test_a_bookmark_prefills_the_link(visitor: Client, url: str) -> None:
    response = visitor.get("/link", {"url": url})

    assert response.status_code == 200
    assert "<script>alert" not in text(response)
    assert not wrong(response)
    if url == LINK:
        assert values(response) == {"url": LINK, "output": "", "threads": "4", "sha256": ""}


def test_a_form_sent_without_a_session_is_prefilled_after_sign_in(alice: User) -> None:
    client, login = Client(), {"username": "alice", "password": "correct horse"}

    to_sign_in = client.post("/link?once=" + "a" * 32, FULL | {"csrfmiddlewaretoken": "x"})
    form = client.get(to_sign_in["Location"])
    back = client.post("/sign-in", login | {"next": form.context["next"]})["Location"]

    assert values(client.get(back)) == FULL
    assert "csrf" not in back
    assert not DownloadJob.objects.exists()


@pytest.mark.django_db
def test_a_link_too_long_for_a_url_is_no_error() -> None:
    response = Client().post("/link", {"url": "https://example.org/?q=" + "ü" * 1_900})

    assert response["Location"] == "/sign-in?next=/link"


def test_a_form_without_a_csrf_token_is_refused_and_returns(alice: User) -> None:
    client = Client(enforce_csrf_checks=True, headers=BROWSER)
    client.force_login(alice)

    response = client.post("/link", {"url": "https://example.org/x"})

    assert response.status_code == 403
    assert 'href="/link?url=https%3A%2F%2Fexample.org%2Fx">Go back' in text(response)
    assert not DownloadJob.objects.exists()


def test_an_earlier_link_is_prefilled(visitor: Client, alice: User) -> None:
    job = RemoteJobFactory(owner=alice, params=FULL | {"threads": 16})

    assert values(visitor.get("/link", {"job": str(job.pk)})) == FULL


def test_other_downloads_are_not_prefilled(visitor: Client, alice: User, bob: User) -> None:
    foreign = RemoteJobFactory(owner=bob)
    zipped = JobFactory(owner=alice)

    assert visitor.get("/link", {"job": str(foreign.pk)}).status_code == 403
    for job in (str(zipped.pk), "nonsense", ""):
        assert values(visitor.get("/link", {"job": job}))["url"] == ""
