"""Calls of the service: sign-in, retries, and validation of every response."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from downloads_client.failures import Failure, Gone, JobFailed, RequestRefused, Unreachable
from downloads_client.login import Login
from downloads_client.new_download import NewDownload
from downloads_client.retry import Retry
from downloads_client.service import Service
from downloads_client.service_responses import JobResponse
from tests.client.fake import (
    JOB_ID,
    RESULT,
    STATUS,
    Fake,
    Handler,
    job,
    json_response,
    problem,
    response,
)

INITIATE = "/v1/download/initiate"
ID = UUID(JOB_ID)


def service(url: str, retry_for: float = 60) -> Service:
    new_retry = lambda: Retry(retry_for, lambda reason, seconds: None)  # noqa: E731
    return Service(Login(url, "demo", "secret"), new_retry)


@pytest.fixture
def new_download() -> NewDownload:
    return NewDownload("v1/download/initiate", {"file_ids": [70000]}, "1 file")


def test_a_retried_post_has_the_same_idempotency_key(fake: Fake, new_download: NewDownload) -> None:
    fake.on(INITIATE, lambda handler: handler.hang_up(), json_response(job(), 202))

    created = service(fake.url).create(new_download)

    keys = [each.headers["Idempotency-Key"] for each in fake.to(INITIATE)]
    assert created.id == ID
    assert len(keys) == 2
    assert keys[0] == keys[1] == new_download.idempotency_key
    assert NewDownload("", {}, "").idempotency_key != new_download.idempotency_key


def test_an_expired_token_is_renewed(fake: Fake) -> None:
    fake.on(
        "/v1/auth/token", json_response({"access": "first"}), json_response({"access": "second"})
    )
    fake.on(STATUS, json_response(job()), problem(401, "token_not_valid", ""), json_response(job()))
    client = service(fake.url)
    client.get(ID)

    client.get(ID)

    tokens = [each.headers["Authorization"] for each in fake.to(STATUS)]
    assert tokens == ["Bearer first", "Bearer first", "Bearer second"]


def test_a_wrong_password_is_refused_at_once(fake: Fake) -> None:
    fake.on("/v1/auth/token", problem(401, "no_active_account", "Wrong username."))

    with pytest.raises(RequestRefused, match="Wrong username"):
        service(fake.url).get(ID)

    assert len(fake.requests) == 1


def test_the_password_is_never_sent_as_netrc_says(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other")
    monkeypatch.setenv("NETRC", str(netrc))
    fake.on(STATUS, json_response(job()))

    service(fake.url).get(ID)

    assert fake.to(STATUS)[0].headers["Authorization"] == "Bearer token"
    assert "Authorization" not in fake.to("/v1/auth/token")[0].headers


@pytest.mark.parametrize("status", [429, 503, 409])
def test_retry_after_is_waited_for(fake: Fake, status: int, no_pauses: list[float]) -> None:
    later = problem(status, "later", "Later.", Retry_After="7")
    fake.on(STATUS, later, later, json_response(job()))

    service(fake.url).get(ID)

    assert no_pauses == [7, 7]


@pytest.mark.parametrize(
    "form",
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"],
)
def test_a_retry_after_that_is_a_date_is_waited_for(
    fake: Fake, no_pauses: list[float], form: str
) -> None:
    date = time.strftime(form, time.gmtime(time.time() + 30))
    fake.on(STATUS, problem(503, "later", "Later.", Retry_After=date), json_response(job()))

    service(fake.url).get(ID)

    assert no_pauses == [pytest.approx(29, abs=2)]


def test_a_retry_after_beyond_the_time_for_retries_fails_at_once(
    fake: Fake, no_pauses: list[float]
) -> None:
    fake.on(STATUS, problem(429, "storage_full", "No room.", Retry_After="3600"))

    with pytest.raises(RequestRefused, match="No room") as caught:
        service(fake.url).get(ID)

    assert caught.value.code == "storage_full"
    assert no_pauses == []


@pytest.mark.parametrize("status", [408, 502, 503, 504])
def test_an_html_page_of_a_proxy_is_retried(fake: Fake, status: int) -> None:
    fake.on(STATUS, response(b"<html>Bad gateway</html>", status), json_response(job()))

    assert service(fake.url).get(ID).status == "processing"


def test_retries_end(fake: Fake, no_pauses: list[float]) -> None:
    fake.on(STATUS, response(b"<html>Bad gateway</html>", 502))

    with pytest.raises(Unreachable, match="returned 502, and does not look like the service"):
        service(fake.url, retry_for=20).get(ID)

    assert no_pauses == [0.5, 1, 2, 4, 8]


def test_a_refused_connection_is_unreachable_with_the_systems_reason() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 could not be reached: Connection"):
        service("http://127.0.0.1:1", retry_for=0).get(ID)


def test_an_unchanged_job_costs_a_304(fake: Fake) -> None:
    fake.on(STATUS, json_response(job(), ETag='"v1"'), response(b"", 304, Retry_After="5"))
    client = service(fake.url)
    seen = client.get(ID)

    assert client.poll(seen) == replace(seen, poll_seconds=5)
    assert fake.to(STATUS)[1].headers["If-None-Match"] == '"v1"'


def test_a_redirect_is_not_followed_with_the_password(fake: Fake) -> None:
    fake.on(
        "/v1/auth/token", response(b"", 301, Location="https://elsewhere.example/v1/auth/token?x")
    )

    with pytest.raises(Unreachable, match=r"redirects to https://elsewhere\.example\."):
        service(fake.url).get(ID)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", RequestRefused),
        (403, "permission_denied", RequestRefused),
        (404, "not_found", RequestRefused),
        (409, "job_failed", JobFailed),
        (410, "expired", Gone),
        (410, "artifact_gone", Gone),
        (500, "internal", Unreachable),
    ],
)
def test_a_problem_becomes_the_failure_of_its_status_and_code(
    fake: Fake, status: int, code: str, kind: type[Failure]
) -> None:
    fake.on(RESULT, problem(status, code, "One sentence."))

    with pytest.raises(kind, match="One sentence") as caught:
        service(fake.url).result(ID)

    assert type(caught.value) is kind
    assert caught.value.code == code


def test_errors_of_fields_are_in_the_message(fake: Fake, new_download: NewDownload) -> None:
    errors = [{"field": "file_ids.0", "detail": "Too small.", "code": "min_value"}]
    body = {"detail": "Not valid.", "code": "invalid", "errors": errors}
    fake.on(INITIATE, json_response(body, 400))

    with pytest.raises(RequestRefused, match=r"Not valid\. file_ids\.0: Too small\."):
        service(fake.url).create(new_download)


def endless(handler: Handler) -> None:
    handler.send(200, b"", Transfer_Encoding="chunked", Content_Length="")
    while True:
        handler.wfile.write(b"8000\r\n" + b" " * 0x8000 + b"\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        response(b"<html>Sign in to the hotel</html>"),
        response(b""),
        response(b"\xff\xfe"),
        response(b"[" * 100_000),
        response(b"[]"),
        response(b"null"),
        response(b"9" * 10_000),
        response(json.dumps(job()).encode()[:-5]),
        response(json.dumps(job()).encode(), Content_Length="9000"),
        response(b"not gzip", Content_Encoding="gzip"),
        json_response({}),
        json_response(job("sleeping")),
        json_response(job(jobId="../../etc/passwd")),
        json_response(job(progress=float("nan"))),
        json_response(job(progress=float("inf"))),
        json_response(job(done=10**30)),
        json_response(job(done=-1)),
        json_response(job(total="100")),
        json_response(job(message=[])),
        json_response(job(estimatedSecondsRemaining=True)),
        json_response(job(runAt="soon")),
        json_response(job(runAt=1795000000)),
        json_response(job(runAt="0001-01-01T00:00:00+14:00")),
        json_response(job(after=2)),
        lambda handler: handler.hang_up(),
        lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n") and handler.hang_up(),
        endless,
    ],
)
def test_an_invalid_response_is_a_failure(fake: Fake, answer: Callable[[Handler], Any]) -> None:
    def once(handler: Handler) -> None:
        answer(handler)
        handler.hang_up()  # or a promised rest would be waited for

    fake.on(STATUS, once)

    with pytest.raises(Unreachable) as caught:
        service(fake.url, retry_for=0).get(ID)

    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["soon", "-1", "1e9", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_an_invalid_retry_after_is_ignored(fake: Fake, value: str) -> None:
    fake.on(STATUS, json_response(job(), Retry_After=value))

    assert service(fake.url).get(ID).poll_seconds == 1


def test_text_of_the_service_has_no_control_characters(fake: Fake) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\r\n‮gnp.exe" + "x" * 1000
    fake.on(STATUS, json_response(job(message=evil, error=evil, fileName=evil, unit=evil)))

    seen: JobResponse = service(fake.url).get(ID)

    for text in (seen.message, seen.error, seen.name, seen.unit):
        assert text.isprintable()
        assert len(text) <= 300


def test_a_problem_has_no_control_characters(fake: Fake) -> None:
    fake.on(STATUS, problem(404, "not_found", "\x1b[2J" + "x" * 10_000))

    with pytest.raises(RequestRefused) as caught:
        service(fake.url).get(ID)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("field", ["detail", "code", "errors"])
@pytest.mark.parametrize("value", [None, 7, [], {}, "x", ["x"], [[]], [{"field": []}]])
def test_a_strange_problem_is_still_a_failure(fake: Fake, field: str, value: Any) -> None:
    fake.on(STATUS, json_response({"detail": "No.", "code": "no"} | {field: value}, 400))

    with pytest.raises((RequestRefused, Unreachable)):
        service(fake.url).get(ID)


def test_a_response_that_drips_is_cut_off(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def drip(handler: Handler) -> None:
        handler.send(200, b"{", Content_Length="300")
        while not given_up.wait(0.05):
            handler.wfile.write(b" ")

    fake.on(STATUS, drip)
    monkeypatch.setattr("downloads_client.http_session.MAX_RESPONSE_SECONDS", 0.5)
    began = time.monotonic()

    with pytest.raises(Unreachable, match="its response does not end"):
        service(fake.url, retry_for=0).get(ID)

    given_up.set()
    assert time.monotonic() - began < 10  # all of it would take 15 s


def test_a_retry_after_of_0_still_pauses(fake: Fake, no_pauses: list[float]) -> None:
    fake.on(STATUS, problem(503, "overloaded", "Try again.", Retry_After="0"))

    with pytest.raises(Unreachable):
        service(fake.url, retry_for=20).get(ID)

    assert no_pauses == [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize("where", ["http://[", "/\xff"])
def test_a_redirect_to_no_address_is_a_failure(fake: Fake, where: str) -> None:
    fake.on(STATUS, response(b"", 302, Location=where))

    with pytest.raises(Unreachable, match="could not be reached"):
        service(fake.url, retry_for=0).get(ID)


@pytest.mark.parametrize("token", ["a\nb", "\N{SNOWMAN}", "\ud800"])
def test_a_token_that_no_header_can_carry_is_a_failure(fake: Fake, token: str) -> None:
    fake.on("/v1/auth/token", json_response({"access": token}))

    with pytest.raises(Unreachable, match="not from the service"):
        service(fake.url).get(ID)
