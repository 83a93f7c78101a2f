"""The native status endpoint returns what Django would."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework_simplejwt.tokens import RefreshToken

from jobs.engine.deletions import delete_jobs
from jobs.models import DownloadJob, JobRow
from jobs.models.job_row import COLUMNS
from jobs.states import Status
from jobs.web.asgi.callers import caller_of_token
from tests.asgi.both import Native, Response, ask_django, bearer
from tests.factories import JobFactory, RemoteJobFactory, UploadJobFactory

pytestmark = pytest.mark.usefixtures("constant_etag", "queue_is_not_read")
STATUS = "/v1/download/status/{}"
ADDRESSES = [STATUS, "/status/{}", "/downloads/{}/status", "/reports/{}/status"]
KINDS: dict[str, Any] = {
    "bundle": JobFactory,
    "remote": RemoteJobFactory,
    "upload": UploadJobFactory,
    "report": lambda **fields: JobFactory(kind="report", unit="jobs", **fields),
}
SOON = timedelta(hours=2)
SIGNED = re.compile(r"X-Amz-(Date|Signature)=\w+")
SITUATIONS: dict[str, dict[str, Any]] = {
    **{status.value: {"status": status} for status in Status},
    "retried": {"error_code": "storage_unavailable", "error": "The store is away."},
    "scheduled": {"run_at": timezone.now() + SOON, "available_at": timezone.now() + SOON},
    "failed": {
        "status": Status.FAILED,
        "error_code": "timeout",
        "error": "Too long.",
        "failures": 4,
    },
    "odd text": {"name": 'ä "quoted" \\ 100% 日本.zip', "message": "\u2028 <b> é"},
    "large": {"done": 2**40, "total": 2**62, "speed": 2**33, "status": Status.PROCESSING},
}


def comparable(response: Response) -> tuple[int, dict[str, str], Any]:
    """Return the parts that must be equal in both ways."""
    own = {"x-request-id", "ratelimit"}  # differ for each request; a count
    headers = {name: value for name, value in response.headers.items() if name not in own}
    if "vary" in headers:
        headers["vary"] = ", ".join(sorted(headers["vary"].lower().split(", ")))
    if "content-security-policy" in headers:
        parts = headers["content-security-policy"].split("; ")
        headers["content-security-policy"] = "; ".join(sorted(parts))
    headers.pop("content-length", None)  # WSGI leaves it to the server
    content = SIGNED.sub("", response.content.decode())  # may be another second
    return response.status, headers, json.loads(content) if content else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_both_ways_give_the_same_response(
    native: Native, alice: User, kind: str, situation: str
) -> None:
    job = KINDS[kind](owner=alice, **SITUATIONS[situation])
    for address in ADDRESSES:
        path = address.format(job.pk)
        if address.startswith("/reports") and kind != "report":
            assert native.request(path, authorization=bearer(alice)) is None
            continue
        for _ in range(3):  # the remaining seconds may change between the two
            theirs = ask_django(path, authorization=bearer(alice))
            ours = native.request(path, authorization=bearer(alice))
            assert ours is not None
            if comparable(ours) == comparable(theirs):
                break

        assert list(ours.json) == list(theirs.json)
        assert comparable(ours) == comparable(theirs)


def test_a_blocked_job_names_its_dependencies(native: Native, alice: User) -> None:
    job = JobFactory(owner=alice, held=True)
    job.after.set([JobFactory(owner=alice), JobFactory(owner=alice)])
    path = STATUS.format(job.pk)

    ours = native.request(path, authorization=bearer(alice))

    assert ours is not None
    assert len(ours.json["after"]) == 2
    assert comparable(ours) == comparable(ask_django(path, authorization=bearer(alice)))


@pytest.mark.parametrize("seen", ["{etag}", "W/{etag}", '"other", {etag}', "*", '"other"', "", "x"])
def test_if_none_match_gets_the_same_response(native: Native, alice: User, seen: str) -> None:
    path = STATUS.format(JobFactory(owner=alice).pk)
    etag = ask_django(path, authorization=bearer(alice)).headers["etag"]
    request_headers = {"authorization": bearer(alice), "if_none_match": seen.format(etag=etag)}

    ours = native.request(path, **request_headers)

    assert ours is not None
    assert ours.status == (304 if "etag" in seen or seen == "*" else 200)
    assert comparable(ours) == comparable(ask_django(path, **request_headers))


@pytest.mark.parametrize("address", ADDRESSES[:3])
def test_ids_and_the_auth_scheme_are_case_insensitive(
    native: Native, alice: User, address: str
) -> None:
    path = address.format(str(JobFactory(owner=alice).pk).upper())
    request_headers = {"authorization": bearer(alice).replace("Bearer", "BEARER"), "accept": ""}

    ours = native.request(path, **request_headers)

    assert ours is not None
    assert comparable(ours) == comparable(ask_django(path, **request_headers))
    assert ours.status == 200


@pytest.mark.parametrize("sent", ["", "trace-1", "not valid", "\u00e9", "x" * 65])
def test_the_request_id_is_the_clients_or_a_uuid(native: Native, alice: User, sent: str) -> None:
    path = STATUS.format(JobFactory(owner=alice).pk)

    ours = native.request(path, authorization=bearer(alice), x_request_id=sent)

    assert ours is not None
    found = ours.headers["x-request-id"]
    assert found == sent if sent == "trace-1" else UUID(found).version == 4
    assert found == sent or str(UUID(found)) == found


def test_the_row_has_the_models_fields(alice: User) -> None:
    fields = {field.attname for field in DownloadJob._meta.concrete_fields}

    assert set(COLUMNS) <= fields
    assert {"is_finished", "is_scheduled", "pk"} <= set(dir(JobRow))


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_row_is_finished_and_scheduled_as_the_model_is(
    native: Native, alice: User, offset: int
) -> None:
    now = timezone.now()
    for status in Status:
        run_at = now + timedelta(seconds=offset)
        job = JobFactory(owner=alice, status=status, run_at=run_at, updated_at=now)
        caller = caller_of_token(bearer(alice).encode())
        assert caller
        found = native.run(native.endpoints.jobs.own(caller, str(job.pk)))

        row = found.job
        assert (row.is_finished, row.is_scheduled) == (job.is_finished, job.is_scheduled)


class TestLeftToDjango:
    """Only Django refuses requests, with the reason."""

    @pytest.fixture
    def job(self, alice: User) -> DownloadJob:
        job: DownloadJob = JobFactory(owner=alice)
        return job

    def test_a_foreign_job(self, native: Native, job: DownloadJob, bob: User) -> None:
        assert native.request(STATUS.format(job.pk), authorization=bearer(bob)) is None

    def test_an_unknown_job(self, native: Native, alice: User, job: DownloadJob) -> None:
        missing = "00000000-0000-0000-0000-000000000001"

        assert native.request(STATUS.format(missing), authorization=bearer(alice)) is None

    @pytest.mark.parametrize("address", ["/v1/download/status/7", "/v1/download/status", "/"])
    def test_other_addresses(self, native: Native, alice: User, address: str) -> None:
        assert native.request(address, authorization=bearer(alice)) is None

    @pytest.mark.parametrize(
        "headers",
        [
            {"accept": "text/html"},
            {"accept": "application/json;q=0.5"},
            {"authorization": "", "origin": "https://other.example.org"},
            {"host": "other.example.org"},
            {"host": ""},
            {"authorization": "Basic YTpi"},
            {"authorization": "Bearer x"},
            {"authorization": "Bearer"},
            {"authorization": ""},
        ],
        ids=str,
    )
    def test_unusual_headers(
        self, native: Native, alice: User, job: DownloadJob, headers: dict[str, str]
    ) -> None:
        named = {"authorization": bearer(alice)} | headers

        assert native.request(STATUS.format(job.pk), **named) is None

    def test_a_query(self, native: Native, alice: User, job: DownloadJob) -> None:
        path = STATUS.format(job.pk)

        assert native.request(path, query="format=json", authorization=bearer(alice)) is None

    def test_other_methods(self, native: Native, alice: User, job: DownloadJob) -> None:
        for method in ("HEAD", "POST", "DELETE", "OPTIONS"):
            path = STATUS.format(job.pk)
            assert native.request(path, method=method, authorization=bearer(alice)) is None

    def test_a_gateways_header(
        self, native: Native, alice: User, job: DownloadJob, settings: Any
    ) -> None:
        settings.GATEWAY_USER_HEADER = "X-User-Id"
        path = STATUS.format(job.pk)

        settings.GATEWAY_GROUPS_HEADER = "X-User-Groups"

        assert native.request(path, authorization=bearer(alice), x_user_id="bob") is None
        assert native.request(path, authorization=bearer(alice), x_user_groups="staff") is not None
        assert native.request(path, authorization=bearer(alice)) is not None

    def test_plain_http_if_tls_is_required(
        self, native: Native, alice: User, job: DownloadJob, settings: Any
    ) -> None:
        settings.SECURE_SSL_REDIRECT = True
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        path, who = STATUS.format(job.pk), bearer(alice)

        assert native.request(path, authorization=who) is None
        assert native.request(path, authorization=who, x_forwarded_proto="http") is None
        assert native.request(path, authorization=who, x_forwarded_proto="https") is not None

    def test_a_request_over_the_limit(
        self, native: Native, alice: User, job: DownloadJob, settings: Any
    ) -> None:
        settings.RATES = settings.RATES | {"poll": ["owner:2/60", "address:100/60"]}
        path = STATUS.format(job.pk)

        found = [native.request(path, authorization=bearer(alice)) for _ in range(3)]

        assert [each and each.status for each in found] == [200, 200, None]
        assert found[1] is not None
        assert found[1].headers["ratelimit"].startswith('"poll-owner";r=0;t=')


class TestInvalidatedToken:
    """The next poll is left to Django."""

    def test_the_account_is_closed(self, native: Native, alice: User) -> None:
        path, who = STATUS.format(JobFactory(owner=alice).pk), bearer(alice)
        assert native.request(path, authorization=who) is not None

        User.objects.filter(pk=alice.pk).update(is_active=False)

        assert native.request(path, authorization=who) is None

    def test_a_changed_password(self, native: Native, alice: User) -> None:
        path, who = STATUS.format(JobFactory(owner=alice).pk), bearer(alice)
        assert native.request(path, authorization=who) is not None

        alice.set_password("another")
        alice.save()

        assert native.request(path, authorization=who) is None
        assert native.request(path, authorization=bearer(alice)) is not None

    def test_an_expired_token(
        self, native: Native, alice: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, who = STATUS.format(JobFactory(owner=alice).pk), bearer(alice)
        assert native.request(path, authorization=who) is not None

        import time

        later = time.time() + 16 * 60
        monkeypatch.setattr("jobs.web.asgi.callers.time.time", lambda: later)

        assert native.request(path, authorization=who) is None

    def test_a_refresh_token(self, native: Native, alice: User) -> None:
        path = STATUS.format(JobFactory(owner=alice).pk)

        assert native.request(path, authorization=f"Bearer {RefreshToken.for_user(alice)}") is None


def test_a_deleted_job_is_left_to_django_which_answers_404(native: Native, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED)
    path = STATUS.format(job.pk)
    assert native.request(path, authorization=bearer(alice)) is not None  # it is cached now
    delete_jobs(alice, [job.pk])

    assert native.request(path, authorization=bearer(alice)) is None
    assert ask_django(path, authorization=bearer(alice)).status == 404
