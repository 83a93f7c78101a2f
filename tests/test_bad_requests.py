"""The table of bad requests and their responses. `pytest -v` prints it as a report.

Requests that Django's test client cannot send are in test_refused_requests.py,
test_chunked_bodies.py and test_slow_clients.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from jobs.models import DownloadJob
from jobs.models.lane import make_ready
from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory, UserFactory

INITIATE, JOBS, STATUS = "/v1/download/initiate", "/v1/download/jobs", "/v1/download/status/"
LINKS = "/downloads"
GOOD = b'{"file_ids": [70000, 70001]}'
JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass
class World:
    """Alice with a job in each status, and Bob with one."""

    client: APIClient
    alice: User
    jobs: dict[str, DownloadJob]
    settings: Any

    def send(
        self, method: str, path: str, body: bytes = b"", content_type: str = JSON, **headers: str
    ) -> Any:
        """Send a request. `path` may contain a job, as in /v1/download/{failed}."""
        path = path.format(**{name: job.pk for name, job in self.jobs.items()}, random=uuid4())
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, path, body, content_type, headers=named)


@pytest.fixture
def world(client_of_alice: APIClient, alice: User, bob: User, settings: Any, bucket: Any) -> World:
    jobs = {status.value: JobFactory(owner=alice, status=status) for status in Status}
    make_ready([jobs["queued"].pk])
    jobs["gone"] = JobFactory(
        owner=alice, status=Status.COMPLETED, artifact=ArtifactFactory(owner=alice)
    )
    jobs["bobs"] = JobFactory(owner=bob, status=Status.COMPLETED)
    return World(client_of_alice, alice, jobs, settings)


@dataclass(frozen=True)
class Row:
    """A bad request. `code` is empty if the response is no problem; `made` counts new jobs."""

    name: str
    send: Callable[[World], Any]
    status: int
    code: str = ""
    headers: set[str] = field(default_factory=set)
    made: int = 0


def initiate(body: bytes, content_type: str = JSON, **headers: str) -> Callable[[World], Any]:
    return lambda world: world.send("POST", INITIATE, body, content_type, **headers)


def link(url: str, **more: Any) -> Callable[[World], Any]:
    body = json.dumps({"url": url} | more).encode()
    return lambda world: world.send("POST", LINKS, body)


def ask(method: str, path: str, **more: Any) -> Callable[[World], Any]:
    return lambda world: world.send(method, path, **more)


def anonymously(world: World) -> Any:
    world.client.force_authenticate(None)
    return world.send("POST", INITIATE, GOOD)


def with_token(make: Callable[[User], Any], world: World) -> Any:
    world.client.force_authenticate(None)
    return world.send("POST", INITIATE, GOOD, Authorization=f"Bearer {make(world.alice)}")


def expired(user: User) -> AccessToken:
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=-timedelta(minutes=1))
    return token


def of_a_deleted_user(_: User) -> AccessToken:
    user = UserFactory()
    token = AccessToken.for_user(user)
    user.delete()
    return token


def without_csrf(world: World) -> Any:
    world.client = APIClient(enforce_csrf_checks=True)
    world.client.force_login(world.alice)
    return world.send("POST", INITIATE, GOOD)


def twice_with_a_key(world: World, second: bytes = GOOD) -> Any:
    world.send("POST", INITIATE, GOOD, Idempotency_Key="k")
    return world.send("POST", INITIATE, second, Idempotency_Key="k")


def with_settings(send: Callable[[World], Any], times: int = 1, **changes: Any) -> Any:
    def inner(world: World) -> Any:
        for name, value in changes.items():
            setattr(world.settings, name, value)
        return [send(world) for _ in range(times)][-1]

    return inner


def forged_address(world: World) -> Any:
    world.settings.RATES = {"initiate": ["address:1/60"]}
    for ip in ("1.2.3.4", "5.6.7.8"):
        answer = world.send("POST", INITIATE, GOOD, X_Forwarded_For=ip, CF_Connecting_IP=ip)
    return answer


GOOD_POST = initiate(GOOD)
NO_PARSE = 400, "parse_error"
INVALID = 400, "invalid"
BAD_IDS = ["0", "-1", "9999", "100000001", "1e9", "70000.5", "true", '"70000"']
UUID = "0B7A6F0E-6C1F-4A57-9F0F-0D9F6F2F3C55"
NO_IDS = ["not-a-uuid", UUID, UUID.lower().replace("-", ""), "..%2f", "x" * 8_000, "%ff"]

ROWS = [
    Row("B01 no credentials", anonymously, 401, "not_authenticated", {"WWW-Authenticate"}),
    Row("B03 expired token", partial(with_token, expired), 401, "token_not_valid"),
    Row("B03 refresh token", partial(with_token, RefreshToken.for_user), 401, "token_not_valid"),
    Row("B03 deleted user", partial(with_token, of_a_deleted_user), 401, "user_not_found"),
    Row("B03 no token", partial(with_token, lambda _: "garbage"), 401, "token_not_valid"),
    Row("B03 two tokens", partial(with_token, lambda _: "a b"), 401, "bad_authorization_header"),
    Row("B04 session without CSRF token", without_csrf, 403, "csrf"),
    Row("B06 empty body", initiate(b""), *INVALID),
    Row("B06 {}", initiate(b"{}"), *INVALID),
    Row("B07 cut JSON", initiate(b'{"file_ids":'), *NO_PARSE),
    Row("B07 two documents", initiate(GOOD + GOOD), *NO_PARSE),
    Row("B08 a list", initiate(b"[70000]"), *INVALID),
    Row("B08 a number", initiate(b"7"), *INVALID),
    Row("B08 null", initiate(b"null"), *INVALID),
    Row("B09 no ids", initiate(b'{"file_ids": []}'), *INVALID),
    *(
        Row(f"B10 file_ids {value}", initiate(b'{"file_ids": %s}' % value.encode()), *INVALID)
        for value in ('"7"', "{}", "null", "70000", "true", '"70000,70001"')
    ),
    *(
        Row(f"B11 ids {value}", initiate(b'{"file_ids": [%s]}' % value.encode()), *INVALID)
        for value in BAD_IDS
    ),
    Row("B11 ids null", initiate(b'{"file_ids": [null]}'), *INVALID),
    Row("B11 ids nested", initiate(b'{"file_ids": [[70000]]}'), *INVALID),
    Row("B11 ids beyond 64 bits", initiate(b'{"file_ids": [1%s]}' % (b"0" * 30)), *INVALID),
    Row("B14 the same id twice", initiate(b'{"file_ids": [70000, 70000]}'), 202, made=1),
    Row("B15 100,001 ids", initiate(b'{"file_ids": [%s70000]}' % (b"70000," * 100_000)), *INVALID),
    Row("B16 an id of no file", initiate(b'{"file_ids": [9999999]}'), 202, made=1),
    Row("B18 unknown field", initiate(b'{"file_ids": [70000], "x": 1}'), *INVALID),
    Row("B19 a name twice", initiate(b'{"file_ids": [70000], "file_ids": [70001]}'), *NO_PARSE),
    *(
        Row(f"B20 {value}", initiate(b'{"file_ids": [%s]}' % value.encode()), *NO_PARSE)
        for value in ("NaN", "Infinity", "-Infinity")
    ),
    Row("B21 NUL in text", initiate(rb'{"file_ids": [70000], "name": "a\u0000"}'), *INVALID),
    Row("B22 half a character", initiate(rb'{"file_ids": [70000], "name": "\ud800"}'), *NO_PARSE),
    Row("B22 not UTF-8", initiate(b'{"file_ids": [70000], "name": "\xff"}'), *NO_PARSE),
    Row("B23 100,000 deep", initiate(b"[" * 100_000 + b"]" * 100_000), *NO_PARSE),
    Row("B24 5 MB", initiate(b'{"file_ids": [%s1]}' % (b"70000," * 833_333)), 413, "too_large"),
    Row("B25 name too long", initiate(b'{"file_ids":[1],"name":"%s"}' % (b"n" * 201)), *INVALID),
    Row("B25 priority 10", initiate(b'{"file_ids":[70000],"priority":10}'), *INVALID),
    Row("B25 priority -1", initiate(b'{"file_ids":[70000],"priority":-1}'), *INVALID),
    *(
        Row(f"B26 {kind or 'no type'}", initiate(GOOD, kind), 415, "unsupported_media_type")
        for kind in ("application/xml", "text/plain", "", "*/*", "application/*", "json")
    ),
    Row("B26 gzip", initiate(GOOD, Content_Encoding="gzip"), 415, "unsupported_media_type"),
    Row(
        "B27 a form",
        initiate(b"file_ids=70000", "application/x-www-form-urlencoded"),
        415,
        "unsupported_media_type",
    ),
    Row(
        "B27 a multipart form",
        initiate(b"--x--", "multipart/form-data; boundary=x"),
        415,
        "unsupported_media_type",
    ),
    *(
        Row(f"B29 {method}", ask(method, INITIATE), 405, "method_not_allowed", {"Allow"})
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ),
    Row("B29 POST status", ask("POST", STATUS + "{queued}"), 405, "method_not_allowed"),
    Row("B30 unknown path", ask("GET", "/v1/nowhere"), 404, "not_found"),
    Row("B30 trailing slash", ask("POST", INITIATE + "/"), 404, "not_found"),
    Row("B31 Accept XML", ask("GET", JOBS, Accept="text/xml"), 406, "not_acceptable"),
    *(
        Row(f"B32 key {key[:9]!r}", initiate(GOOD, Idempotency_Key=key), *INVALID)
        for key in ("", "k" * 300, "a b", "a\tb", "\u00fc")
    ),
    Row("B33 same key, same body", twice_with_a_key, 202, "", {"Idempotency-Replayed"}, 1),
    Row(
        "B34 same key, other body",
        partial(twice_with_a_key, second=b'{"file_ids": [70002]}'),
        422,
        "idempotency_key_reused",
        made=1,
    ),
    *(
        Row(f"B37 status of {text[:12]}", ask("GET", STATUS + text), 404, "not_found")
        for text in NO_IDS
    ),
    Row("B37 NUL in an address", ask("GET", STATUS + "%00"), *INVALID),
    Row("B38 a random id", ask("GET", STATUS + "{random}"), 404, "not_found"),
    *(
        Row(f"B39 {method} {path} of another's", ask(method, path), 403, "permission_denied")
        for method, path in (
            ("GET", STATUS + "{bobs}"),
            ("GET", "/v1/download/result/{bobs}"),
            ("GET", "/v1/download/{bobs}"),
            ("DELETE", "/v1/download/{bobs}"),
            ("GET", "/downloads/{bobs}/status"),
            ("DELETE", "/downloads/{bobs}"),
            ("POST", "/v1/download/{bobs}/retry"),
        )
    ),
    Row(
        "B39 hidden",
        with_settings(ask("GET", STATUS + "{bobs}"), HIDE_FOREIGN_JOBS=True),
        404,
        "not_found",
    ),
    *(
        Row(
            f"B41 download while {status}",
            ask("GET", f"/v1/download/{{{status}}}"),
            409,
            "not_ready",
            {"Retry-After", "Location"},
        )
        for status in ("queued", "processing")
    ),
    Row("B42 download of failed", ask("GET", "/v1/download/{failed}"), 409, "job_failed"),
    Row("B43 download of cancelled", ask("GET", "/v1/download/{cancelled}"), 410, "cancelled"),
    Row("B43 download of expired", ask("GET", "/v1/download/{expired}"), 410, "expired"),
    Row("B43 object gone", ask("GET", "/v1/download/{gone}"), 410, "artifact_gone"),
    Row("B45 cancel queued", ask("DELETE", "/v1/download/{queued}"), 200),
    Row("B45 cancel running", ask("DELETE", "/v1/download/{processing}"), 200),
    Row("B45 cancel cancelled", ask("DELETE", "/v1/download/{cancelled}"), 200),
    Row("B45 cancel completed", ask("DELETE", "/v1/download/{completed}"), 409, "conflict"),
    *(
        Row(f"B47 retry of {one}", ask("POST", f"/v1/download/{{{one}}}/retry"), 409, "conflict")
        for one in ("queued", "processing", "completed")
    ),
    Row("B47 retry of failed", ask("POST", "/v1/download/{failed}/retry"), 202),
    Row(
        "B48 101st initiate in a minute",
        with_settings(GOOD_POST, 101, RATES={"initiate": ["owner:100/60"]}),
        429,
        "throttled",
        {"Retry-After", "RateLimit", "RateLimit-Policy"},
        made=100,
    ),
    Row("B49 forged addresses", forged_address, 429, "throttled", {"Retry-After"}, 1),
    Row(
        "B51 queue full",
        with_settings(GOOD_POST, MAX_QUEUED_JOBS=1),
        503,
        "overloaded",
        {"Retry-After"},
    ),
    Row(
        "B52 too many under way",
        with_settings(GOOD_POST, MAX_ACTIVE_JOBS=1),
        429,
        "too_many_active",
        {"Retry-After"},
    ),
    *(
        Row(f"B55 list with {query}", ask("GET", f"{JOBS}?{query}"), *INVALID)
        for query in (
            "limit=0", "limit=-1", "limit=1e9", "limit=abc", "limit=", "limit=%D9%A3",
            "cursor=garbage", "status=done", "kind=nothing", "search=" + "x" * 101,
        )
    ),
    Row("B59 another Host", ask("GET", "/docs", Host="evil.example"), 400, "invalid"),
    *(
        Row(f"B60 {url}", link(url), *INVALID)
        for url in ("file:///etc/passwd", "gopher://a.example/1", "ftp://a.example/", "data:,a")
    ),
    *(
        Row(f"B61 {host}", link(f"http://{host}/"), 422, "blocked_address")
        for host in (
            "127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "017700000001", "127.1",
            "①②⑦.0.0.1",
        )
    ),
    *(
        Row(f"B66 {threads!r} threads", link("https://a.example/", threads=threads), *INVALID)
        for threads in (0, -1, 65, "4")
    ),
    Row("B78 staff's address", ask("POST", "/admin/retry/{failed}"), 403, "permission_denied"),
    Row("B78 queue/stats", ask("GET", "/queue/stats"), 403, "permission_denied"),
    Row("B78 workers/stats", ask("GET", "/workers/stats"), 403, "permission_denied"),
    Row("B80 metrics", ask("GET", "/metrics"), 403, "permission_denied"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_bad_request_gets_the_response_of_the_table(world: World, broker: Any, row: Row) -> None:
    before = DownloadJob.objects.count()

    answer = row.send(world)

    assert answer.status_code == row.status, answer.content
    assert row.headers <= set(answer.headers)
    assert DownloadJob.objects.count() - before == row.made
    if row.code:
        problem = answer.json()
        assert answer["Content-Type"] == PROBLEM
        assert (problem["code"], problem["status"]) == (row.code, row.status)
        assert {"type", "title", "detail", "requestId", "error"} <= set(problem)
