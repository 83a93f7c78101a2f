"""Invalid HTTP never reaches Django, and the response is a problem (RFC 9457) as always."""

from __future__ import annotations

import re
from http import HTTPStatus
from types import SimpleNamespace
from uuid import UUID

import gunicorn_h1c
import pytest

from downloads_project.web_server.refusals import INTERNAL, PARSE_ERRORS, refusal_of
from jobs.web.error_responses import error_response_body
from tests.live import Live
from tests.wire import exchange

GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /v1/auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
REFUSED = {
    "no request": (b"secret\r\n\r\n", 400, "invalid"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "invalid"),
    "a method of signs": (b"G@T / HTTP/1.1\r\n\r\n", 400, "invalid"),
    "a version that is none": (b"GET / HTTP/9\r\n\r\n", 400, "invalid"),
    "an address beyond ASCII": (b"GET /secret\xff HTTP/1.1\r\n\r\n", 400, "invalid"),
    "a DEL in an address": (b"GET /secret\x7f HTTP/1.1\r\n\r\n", 400, "invalid"),
    "two types": (POST + b"Content-Type: secret\r\n\r\n", 400, "invalid"),
    "line feeds alone": (b"GET / HTTP/1.1\nHost: localhost\n\n", 400, "invalid"),
    "a name with a space": (GET + b"A b: secret\r\n\r\n", 400, "invalid"),
    "no colon": (GET + b"secret\r\n\r\n", 400, "invalid"),
    "a folded header": (GET + b"A: b\r\n secret\r\n\r\n", 400, "invalid"),
    "a NUL in a header": (GET + b"A: secret\x00\r\n\r\n", 400, "invalid"),
    "two hosts": (GET + b"Host: secret\r\n\r\n", 400, "invalid"),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400, "invalid"),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400, "invalid"),
    "a length and chunks": (
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "invalid",
    ),
    "an unknown coding": (
        POST + b"Transfer-Encoding: secret\r\n\r\n",
        501,
        "unsupported_transfer_coding",
    ),
    "an expectation": (GET + b"Expect: secret\r\n\r\n", 417, "expectation_failed"),
    "a long address": (b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\n\r\n", 414, "address_too_long"),
    "a very long address": (b"GET /" + b"a" * 100_000, 414, "address_too_long"),
    "a long header": (GET + b"A: " + b"a" * 8200 + b"\r\n\r\n", 431, "headers_too_large"),
    "many headers": (GET + b"A: b\r\n" * 101 + b"\r\n", 431, "headers_too_large"),
}


@pytest.mark.parametrize(("sent", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_invalid_http_is_a_problem(web: Live, sent: bytes, status: int, code: str) -> None:
    answer = exchange(web.url, sent)

    assert (answer.status, answer.json["status"], answer.json["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Connection"] == "close"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-ID"] == answer.json["requestId"]
    assert b"secret" not in answer.body
    assert answer.rest == b""


def test_it_has_all_members_of_a_problem(web: Live) -> None:
    members = exchange(web.url, GET + b"Expect: secret\r\n\r\n").json

    request = SimpleNamespace(request_id=members["requestId"])
    assert members == error_response_body(request, 417, "expectation_failed", members["detail"])
    assert str(UUID(members["requestId"])) == members["requestId"]


def test_a_refused_request_with_a_path_is_in_the_access_log(web: Live) -> None:
    answer = exchange(web.url, GET.replace(b"live", b"logged") + b"Host: two\r\n\r\n")

    line = rf'"GET /health/logged HTTP/1\.1" 400 \d+ 0ms {answer.json["requestId"]}'
    assert re.search(line, web.processes[0].log.read_text())


def test_an_unlisted_error_of_the_parser_is_400() -> None:
    errors = [each for each in vars(gunicorn_h1c).values() if isinstance(each, type)]

    parsing = [each for each in errors if issubclass(each, PARSE_ERRORS)]
    assert len(parsing) > 5
    statuses = {refusal_of(each("secret")).status for each in parsing}
    assert statuses == {HTTPStatus.BAD_REQUEST, 414, 431}


@pytest.mark.parametrize("error", [RuntimeError("secret"), OSError("secret")])
def test_an_internal_error_is_500_without_details(error: Exception) -> None:
    assert refusal_of(error) is INTERNAL
    assert b"secret" not in INTERNAL.response("id")


def test_clients_cannot_set_script_name(web: Live) -> None:
    answer = exchange(web.url, GET + b"Connection: close\r\nSCRIPT_NAME: /secret\r\n\r\n")

    assert answer.status == 200
