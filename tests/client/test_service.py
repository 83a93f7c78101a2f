"""Talking to the service: signing in, being patient, and believing nothing."""

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

from downloads_client.errors import Failure, Gone, JobFailed, Refused, Unreachable
from downloads_client.login import Login
from downloads_client.requests import New
from downloads_client.responses import Job
from downloads_client.retry import Patience
from downloads_client.service import Service
from tests.client.fake import JOB_ID, RESULT, STATUS, Fake, Handler, job, problem, says, tells

INITIATE = "/v1/download/initiate"
ID = UUID(JOB_ID)


def service(url: str, patience: float = 60) -> Service:
    wait = lambda: Patience(patience, lambda why, seconds: None)  # noqa: E731
    return Service(Login(url, "demo", "secret"), wait)


@pytest.fixture
def wish() -> New:
    return New("v1/download/initiate", {"file_ids": [70000]}, "1 file")


def test_a_post_that_is_sent_again_has_the_same_key(fake: Fake, wish: New) -> None:
    fake.on(INITIATE, lambda handler: handler.hang_up(), tells(job(), 202))

    asked = service(fake.url).ask(wish)

    keys = [each.headers["Idempotency-Key"] for each in fake.to(INITIATE)]
    assert asked.id == ID
    assert len(keys) == 2
    assert keys[0] == keys[1] == wish.key
    assert New("", {}, "").key != wish.key


def test_a_token_that_is_over_is_renewed(fake: Fake) -> None:
    fake.on("/v1/auth/token", tells({"access": "first"}), tells({"access": "second"}))
    fake.on(STATUS, tells(job()), problem(401, "token_not_valid", ""), tells(job()))
    asked = service(fake.url)
    asked.find(ID)

    asked.find(ID)

    tokens = [each.headers["Authorization"] for each in fake.to(STATUS)]
    assert tokens == ["Bearer first", "Bearer first", "Bearer second"]


def test_a_wrong_password_is_refused_at_once(fake: Fake) -> None:
    fake.on("/v1/auth/token", problem(401, "no_active_account", "No such account."))

    with pytest.raises(Refused, match="No such account"):
        service(fake.url).find(ID)

    assert len(fake.asked) == 1


def test_the_password_is_never_sent_as_netrc_says(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other")
    monkeypatch.setenv("NETRC", str(netrc))
    fake.on(STATUS, tells(job()))

    service(fake.url).find(ID)

    assert fake.to(STATUS)[0].headers["Authorization"] == "Bearer token"
    assert "Authorization" not in fake.to("/v1/auth/token")[0].headers


@pytest.mark.parametrize("status", [429, 503, 409])
def test_retry_after_is_waited_for(fake: Fake, status: int, no_pauses: list[float]) -> None:
    later = problem(status, "later", "Later.", Retry_After="7")
    fake.on(STATUS, later, later, tells(job()))

    service(fake.url).find(ID)

    assert no_pauses == [7, 7]


@pytest.mark.parametrize(
    "form",
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"],
)
def test_a_retry_after_that_is_a_date_is_waited_for(
    fake: Fake, no_pauses: list[float], form: str
) -> None:
    date = time.strftime(form, time.gmtime(time.time() + 30))
    fake.on(STATUS, problem(503, "later", "Later.", Retry_After=date), tells(job()))

    service(fake.url).find(ID)

    assert no_pauses == [pytest.approx(29, abs=2)]


def test_a_retry_after_beyond_the_patience_is_refused_at_once(
    fake: Fake, no_pauses: list[float]
) -> None:
    fake.on(STATUS, problem(429, "storage_full", "No room.", Retry_After="3600"))

    with pytest.raises(Refused, match="No room") as caught:
        service(fake.url).find(ID)

    assert caught.value.code == "storage_full"
    assert no_pauses == []


@pytest.mark.parametrize("status", [408, 502, 503, 504])
def test_a_proxys_page_of_html_is_waited_out(fake: Fake, status: int) -> None:
    fake.on(STATUS, says(b"<html>Bad gateway</html>", status), tells(job()))

    assert service(fake.url).find(ID).status == "processing"


def test_patience_has_an_end(fake: Fake, no_pauses: list[float]) -> None:
    fake.on(STATUS, says(b"<html>Bad gateway</html>", 502))

    with pytest.raises(Unreachable, match="answers 502, and not as the service does"):
        service(fake.url, patience=20).find(ID)

    assert no_pauses == [0.5, 1, 2, 4, 8]


def test_nobody_there_is_unreachable_with_the_systems_reason() -> None:
    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1 cannot be reached: Connection"):
        service("http://127.0.0.1:1", patience=0).find(ID)


def test_an_unchanged_job_costs_a_304(fake: Fake) -> None:
    fake.on(STATUS, tells(job(), ETag='"v1"'), says(b"", 304, Retry_After="5"))
    asked = service(fake.url)
    seen = asked.find(ID)

    assert asked.look_again(seen) == replace(seen, poll_seconds=5)
    assert fake.to(STATUS)[1].headers["If-None-Match"] == '"v1"'


def test_a_redirect_is_not_followed_with_the_password(fake: Fake) -> None:
    fake.on("/v1/auth/token", says(b"", 301, Location="https://elsewhere.example/v1/auth/token?x"))

    with pytest.raises(Unreachable, match=r"sends on to https://elsewhere\.example\."):
        service(fake.url).find(ID)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", Refused),
        (403, "permission_denied", Refused),
        (404, "not_found", Refused),
        (409, "job_failed", JobFailed),
        (410, "expired", Gone),
        (410, "artifact_gone", Gone),
        (500, "internal", Unreachable),
    ],
)
def test_a_problem_is_told_by_its_kind(
    fake: Fake, status: int, code: str, kind: type[Failure]
) -> None:
    fake.on(RESULT, problem(status, code, "One sentence."))

    with pytest.raises(kind, match="One sentence") as caught:
        service(fake.url).result(ID)

    assert type(caught.value) is kind
    assert caught.value.code == code


def test_what_is_wrong_with_which_field_is_told(fake: Fake, wish: New) -> None:
    errors = [{"field": "file_ids.0", "detail": "Too small.", "code": "min_value"}]
    told = {"detail": "Not valid.", "code": "invalid", "errors": errors}
    fake.on(INITIATE, tells(told, 400))

    with pytest.raises(Refused, match=r"Not valid\. file_ids\.0: Too small\."):
        service(fake.url).ask(wish)


def endless(handler: Handler) -> None:
    handler.say(200, b"", Transfer_Encoding="chunked", Content_Length="")
    while True:
        handler.wfile.write(b"8000\r\n" + b" " * 0x8000 + b"\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        says(b"<html>Sign in to the hotel</html>"),
        says(b""),
        says(b"\xff\xfe"),
        says(b"[" * 100_000),
        says(b"[]"),
        says(b"null"),
        says(b"9" * 10_000),
        says(json.dumps(job()).encode()[:-5]),
        says(json.dumps(job()).encode(), Content_Length="9000"),
        says(b"not gzip", Content_Encoding="gzip"),
        tells({}),
        tells(job("sleeping")),
        tells(job(jobId="../../etc/passwd")),
        tells(job(progress=float("nan"))),
        tells(job(progress=float("inf"))),
        tells(job(done=10**30)),
        tells(job(done=-1)),
        tells(job(total="100")),
        tells(job(message=[])),
        tells(job(estimatedSecondsRemaining=True)),
        tells(job(runAt="soon")),
        tells(job(runAt=1795000000)),
        tells(job(runAt="0001-01-01T00:00:00+14:00")),
        tells(job(after=2)),
        lambda handler: handler.hang_up(),
        lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n") and handler.hang_up(),
        endless,
    ],
)
def test_an_answer_that_is_none_is_a_failure(fake: Fake, answer: Callable[[Handler], Any]) -> None:
    def once(handler: Handler) -> None:
        answer(handler)
        handler.hang_up()  # or a promised rest would be waited for

    fake.on(STATUS, once)

    with pytest.raises(Unreachable) as caught:
        service(fake.url, patience=0).find(ID)

    assert str(caught.value).isprintable()


@pytest.mark.parametrize("told", ["soon", "-1", "1e9", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_no_number_is_nobodys_wish(fake: Fake, told: str) -> None:
    fake.on(STATUS, tells(job(), Retry_After=told))

    assert service(fake.url).find(ID).poll_seconds == 1


def test_text_of_the_service_cannot_play_with_the_terminal(fake: Fake) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\r\n‮gnp.exe" + "x" * 1000
    fake.on(STATUS, tells(job(message=evil, error=evil, fileName=evil, unit=evil)))

    seen: Job = service(fake.url).find(ID)

    for text in (seen.message, seen.error, seen.name, seen.unit):
        assert text.isprintable()
        assert len(text) <= 300


def test_a_problem_cannot_play_with_the_terminal(fake: Fake) -> None:
    fake.on(STATUS, problem(404, "not_found", "\x1b[2J" + "x" * 10_000))

    with pytest.raises(Refused) as caught:
        service(fake.url).find(ID)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("field", ["detail", "code", "errors"])
@pytest.mark.parametrize("value", [None, 7, [], {}, "x", ["x"], [[]], [{"field": []}]])
def test_a_strange_problem_is_still_a_failure(fake: Fake, field: str, value: Any) -> None:
    fake.on(STATUS, tells({"detail": "No.", "code": "no"} | {field: value}, 400))

    with pytest.raises((Refused, Unreachable)):
        service(fake.url).find(ID)


def test_an_answer_that_drips_is_not_waited_for(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = threading.Event()

    def drip(handler: Handler) -> None:
        handler.say(200, b"{", Content_Length="300")
        while not given_up.wait(0.05):
            handler.wfile.write(b" ")

    fake.on(STATUS, drip)
    monkeypatch.setattr("downloads_client.http.MAX_ANSWER_SECONDS", 0.5)
    began = time.monotonic()

    with pytest.raises(Unreachable, match="its answer does not end"):
        service(fake.url, patience=0).find(ID)

    given_up.set()
    assert time.monotonic() - began < 10  # all of it would take 15 s


def test_a_retry_after_of_nothing_is_no_reason_to_hammer(
    fake: Fake, no_pauses: list[float]
) -> None:
    fake.on(STATUS, problem(503, "overloaded", "Try again.", Retry_After="0"))

    with pytest.raises(Unreachable):
        service(fake.url, patience=20).find(ID)

    assert no_pauses == [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize("where", ["http://[", "/\xff"])
def test_a_redirect_to_no_address_is_a_failure(fake: Fake, where: str) -> None:
    fake.on(STATUS, says(b"", 302, Location=where))

    with pytest.raises(Unreachable, match="cannot be reached"):
        service(fake.url, patience=0).find(ID)


@pytest.mark.parametrize("token", ["a\nb", "\N{SNOWMAN}", "\ud800"])
def test_a_token_that_no_header_can_carry_is_a_failure(fake: Fake, token: str) -> None:
    fake.on("/v1/auth/token", tells({"access": token}))

    with pytest.raises(Unreachable, match="not the service"):
        service(fake.url).find(ID)
