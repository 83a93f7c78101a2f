"""The API of links at /downloads: create, list, poll and cancel."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import DownloadJob, StoredFile
from jobs.states import Actor, Event, Status
from tests.factories import ArtifactFactory, JobFactory, ready_jobs

URL = "/downloads"
QUEUED_SENTENCE = "Download job enqueued successfully"  # older clients use it
LINK = "https://data.example/2026/measurements.csv"
SHA256 = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"


def linked(owner: User, **fields: Any) -> DownloadJob:
    """Create a job that fetches a link."""
    fields = {"kind": "remote", "params": {"url": LINK, "threads": 4}, "total": None} | fields
    found: DownloadJob = JobFactory(owner=owner, **fields)
    return found


def listed(client: APIClient, query: str = "") -> list[str]:
    return [job["jobId"] for job in client.get(f"{URL}?{query}").json()["results"]]


@pytest.mark.django_db(transaction=True)
def test_returns_202_with_the_status_url(client_of_alice: APIClient, broker: Mock) -> None:
    response = client_of_alice.post(URL, {"url": LINK})

    job = DownloadJob.objects.get()
    body = response.json()
    assert response.status_code == 202
    assert response["Location"] == f"/v1/download/status/{job.pk}" == body["statusUrl"]
    assert response["Retry-After"] == "3"
    assert (body["jobId"], body["kind"], body["status"]) == (str(job.pk), "remote", "queued")
    assert body["fileName"] == "measurements.csv"
    assert (body["total"], body["estimatedSecondsRemaining"]) == (None, None)
    assert "totalFileIds" not in body
    assert (body["job_id"], body["message"]) == (body["jobId"], QUEUED_SENTENCE)
    assert (job.events.get().event, job.events.get().by) == (Event.SUBMIT, Actor.OWNER)


def test_the_request_is_recorded_as_sent(client_of_alice: APIClient) -> None:
    fields = {"url": LINK, "output": "Ours.csv", "threads": 16, "sha256": SHA256, "priority": 9}

    client_of_alice.post(URL, fields)

    job = DownloadJob.objects.get()
    expected = {"url": LINK, "output": "Ours.csv", "threads": 16, "sha256": SHA256.lower()}
    assert (job.params, job.name, job.priority) == (expected, "Ours.csv", 9)


def test_four_connections_are_the_default(client_of_alice: APIClient) -> None:
    client_of_alice.post(URL, {"url": LINK})

    assert DownloadJob.objects.get().params == {"url": LINK, "threads": 4}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/report%202026.pdf?token=secret#page=2", "report 2026.pdf"),
        ("/..%2f..%2fetc%2fpasswd", "passwd"),
        ("/a%00%0a%1b%5b2Jb.csv", "a___[2Jb.csv"),
        ("/%ff%fe", "%ff%fe"),
        ("/folder/", "folder"),
        ("", "data.example"),
    ],
)
def test_before_the_fetch_it_is_named_after_its_path(
    client_of_alice: APIClient, path: str, name: str
) -> None:
    response_body = client_of_alice.post(URL, {"url": "https://data.example" + path}).json()

    assert response_body["fileName"] == name


@pytest.mark.parametrize("length", [2_133, 8_000])
def test_a_link_may_have_8000_characters(client_of_alice: APIClient, length: int) -> None:
    url = "https://data.example/a.csv?X-Amz-Signature=".ljust(length, "f")

    response = client_of_alice.post(URL, {"url": url})

    assert (response.status_code, response.json()["fileName"]) == (202, "a.csv")
    assert DownloadJob.objects.get().params["url"] == url


@pytest.mark.parametrize("host", ["a-.surge.example", "i❤.example", "xn--i-7iq.example"])
def test_a_host_that_browsers_accept_is_accepted(client_of_alice: APIClient, host: str) -> None:
    assert client_of_alice.post(URL, {"url": f"https://{host}/"}).status_code == 202


# Refused links: rows B60, B61 and B66 of the table of bad requests, and similar ones


BAD = [
    *("file:///etc/passwd", "gopher://data.example/1", "ftp://data.example/a", "data:,a"),
    *("javascript:alert(1)", "//data.example/a", "data.example/a", "https://", "http:///a"),
    *("https://me:secret@data.example/a", "https://data.example:0/", "https://data.example:99999/"),
    *("https://data.example/a b", "https://data.example\\a", "https://a..b/", "x", " "),
    "https://data.example/" + "a" * 8_000,
]
BLOCKED = [
    *("127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "017700000001", "127.1"),
    *("①②⑦.0.0.1", "LOCALHOST.", "10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "x.local"),
    *("0.0.0.0", "[fe80::1]", "[64:ff9b::7f00:1]", "data.example:22", "data.example:6379"),
]


@pytest.mark.parametrize("url", BAD)
def test_an_invalid_link_is_400_with_the_reason(client_of_alice: APIClient, url: str) -> None:
    response = client_of_alice.post(URL, {"url": url})

    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    (error,) = response.json()["errors"]
    assert error["field"] == "url"
    assert error["detail"].endswith(".")
    assert "secret" not in response.content.decode()
    assert not DownloadJob.objects.exists()


@pytest.mark.parametrize("host", BLOCKED)
@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
def test_a_private_host_is_422(client_of_alice: APIClient, scheme: str, host: str) -> None:
    response = client_of_alice.post(URL, {"url": f"{scheme}://{host}/secret"})

    assert (response.status_code, response.json()["code"]) == (422, "blocked_address")
    assert "secret" not in response.content.decode()
    assert not DownloadJob.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("threads", value) for value in (0, -1, 17, 65, "4", 1.5, True, None, [4], 10**30)),
        *(("sha256", value) for value in ("", "0" * 63, "0" * 65, "g" * 64, 0, None, "٠" * 64)),
        *(("output", value) for value in ("", " ", "n" * 201, 7, None, "a\0b")),
        *(("url", value) for value in (None, 7, [LINK], {"href": LINK}, "https://a/\0")),
        *(("priority", value) for value in (-1, 10, "4")),
        *(("file_ids", [70000]), ("name", "mine"), ("headers", {})),
    ],
)
def test_an_invalid_field_is_400_and_named(
    client_of_alice: APIClient, field: str, value: Any
) -> None:
    response = client_of_alice.post(URL, {"url": LINK} | {field: value})

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert not DownloadJob.objects.exists()


@pytest.mark.parametrize("body", [{}, [], [LINK], LINK, 7, None])
def test_a_body_without_a_link_is_400(client_of_alice: APIClient, body: Any) -> None:
    response = client_of_alice.generic("POST", URL, json.dumps(body), "application/json")

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")


def test_settings_can_allow_a_private_host(client_of_alice: APIClient, settings: Any) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["files.internal"]

    for url, status in {
        "http://files.internal:9000/a": 202,
        "http://other.internal/a": 422,
    }.items():
        assert client_of_alice.post(URL, {"url": url}).status_code == status, url


# Repeated requests and limits


KEY = {"Idempotency-Key": "monday"}


def test_the_same_request_with_the_same_key_is_one_job(client_of_alice: APIClient) -> None:
    first = client_of_alice.post(URL, {"url": LINK, "threads": 4}, headers=KEY)
    second = client_of_alice.post(URL, {"url": LINK}, headers=KEY)

    assert first.json()["jobId"] == second.json()["jobId"]
    assert (second.status_code, second["Idempotency-Replayed"]) == (202, "true")
    assert "Idempotency-Replayed" not in first


@pytest.mark.parametrize(
    "other", [{"url": LINK + "?"}, {"url": LINK, "threads": 5}, {"url": LINK, "output": "x"}]
)
def test_another_link_with_the_key_is_422(client_of_alice: APIClient, other: Any) -> None:
    client_of_alice.post(URL, {"url": LINK}, headers=KEY)

    response = client_of_alice.post(URL, other, headers=KEY)

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


def test_a_key_counts_for_links_and_bundles_together(client_of_alice: APIClient) -> None:
    client_of_alice.post(URL, {"url": LINK}, headers=KEY)

    response = client_of_alice.post("/v1/download/initiate", {"file_ids": [70000]}, headers=KEY)

    assert response.status_code == 422


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [
        ({"MAX_ACTIVE_JOBS": 1}, 429, "too_many_active"),
        ({"MAX_QUEUED_JOBS": 1}, 503, "overloaded"),
        ({"OWNER_STORAGE_BYTES": 1}, 429, "storage_full"),
    ],
)
def test_over_a_limit_nothing_is_recorded(
    client_of_alice: APIClient,
    alice: User,
    settings: Any,
    limits: dict[str, int],
    status: int,
    code: str,
) -> None:
    ready_jobs(alice)
    for name, value in limits.items():
        setattr(settings, name, value)

    response = client_of_alice.post(URL, {"url": LINK})

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Retry-After"]
    assert DownloadJob.objects.count() == 1


def test_a_post_has_the_rate_of_starts_and_a_get_of_polls(
    client_of_alice: APIClient, settings: Any
) -> None:
    settings.RATES = {"initiate": ["owner:1/60"], "poll": ["owner:3/60"]}

    statuses = [client_of_alice.post(URL, {"url": LINK}).status_code for _ in range(2)]
    looked = [client_of_alice.get(URL).status_code for _ in range(4)]

    assert statuses == [202, 429]
    assert looked == [200, 200, 200, 429]


# List, poll and cancel


def test_the_list_has_only_the_callers_links_newest_first(
    client_of_alice: APIClient, alice: User, bob: User
) -> None:
    old = linked(alice, created_at=timezone.now() - timedelta(hours=1))
    new = linked(alice)
    JobFactory(owner=alice)
    linked(bob)

    assert listed(client_of_alice) == [str(new.pk), str(old.pk)]


def test_the_list_is_filtered_searched_and_paged(client_of_alice: APIClient, alice: User) -> None:
    failed = linked(alice, status=Status.FAILED, name="Contracts.pdf")
    JobFactory(owner=alice, status=Status.FAILED, name="Contracts.zip")
    linked(alice)

    for query in ("status=failed", "search=contracts", f"search={str(failed.pk)[:8]}"):
        assert listed(client_of_alice, query) == [str(failed.pk)], query
    page = client_of_alice.get(f"{URL}?limit=1").json()
    assert listed(client_of_alice, page["next"].partition("?")[2]) == [str(failed.pk)]
    assert client_of_alice.get(f"{URL}?status=odd").status_code == 400
    assert client_of_alice.get(f"{URL}?limit=0").status_code == 400


def test_the_list_has_no_filter_by_kind(client_of_alice: APIClient, alice: User) -> None:
    link = linked(alice)

    assert listed(client_of_alice, "kind=bundle") == [str(link.pk)]


def test_the_number_of_queries_does_not_depend_on_the_list(
    client_of_alice: APIClient, alice: User, django_assert_num_queries: Any
) -> None:
    for _ in range(15):
        linked(alice, status=Status.COMPLETED)

    with django_assert_num_queries(2):  # one finds the end of the newest
        client_of_alice.get(URL)


def test_a_job_of_any_kind_is_polled_here_too(
    client_of_alice: APIClient, alice: User, constant_etag: None
) -> None:
    for job in (linked(alice), JobFactory(owner=alice)):
        response_body = client_of_alice.get(f"/v1/download/status/{job.pk}").json()

        named = {"job_id": str(job.pk), "bytes_downloaded": 0, "total_bytes": job.total}
        for path in (f"{URL}/{job.pk}", f"{URL}/{job.pk}/status"):
            response = client_of_alice.get(path)
            assert response.json() == response_body | named
            assert response["Retry-After"]
            seen = {"If-None-Match": response["ETag"]}
            assert client_of_alice.get(path, headers=seen).status_code == 304


def test_speed_and_connections_are_in_the_body_while_it_runs(
    client_of_alice: APIClient, alice: User
) -> None:
    job = linked(alice, status=Status.PROCESSING, done=5_000, speed=1_000, threads=3)

    response_body = client_of_alice.get(f"{URL}/{job.pk}/status").json()

    assert (response_body["speed"], response_body["threads"], response_body["done"]) == (
        1_000,
        3,
        5_000,
    )
    assert (
        response_body["total"],
        response_body["progress"],
        response_body["estimatedSecondsRemaining"],
    ) == (None, 0, None)
    assert "threads" not in client_of_alice.get(f"{URL}/{JobFactory(owner=alice).pk}").json()


def test_a_fetched_file_has_a_file_id_for_bundles(client_of_alice: APIClient, alice: User) -> None:
    file: StoredFile = ArtifactFactory(owner=alice, file_id=1_000_004)
    job = linked(alice, status=Status.COMPLETED, artifact=file, total=file.size_bytes)

    response_body = client_of_alice.get(f"{URL}/{job.pk}/status").json()
    bundle = client_of_alice.post(
        "/v1/download/initiate", {"file_ids": [response_body["fileId"]]}
    ).json()

    assert response_body["fileId"] == 1_000_004
    assert "speed" not in response_body
    assert bundle["total"] == file.size_bytes


def test_cancel_is_idempotent(client_of_alice: APIClient, alice: User) -> None:
    job, done = linked(alice), linked(alice, status=Status.COMPLETED)

    answers = [client_of_alice.delete(f"{URL}/{job.pk}") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.json()["status"] for answer in answers} == {"cancelled"}
    assert client_of_alice.delete(f"{URL}/{done.pk}").status_code == 409


def test_a_foreign_job_is_403_everywhere(client_of_alice: APIClient, bob: User) -> None:
    job = linked(bob)

    for method, path in (("get", ""), ("get", "/status"), ("delete", "")):
        answer = getattr(client_of_alice, method)(f"{URL}/{job.pk}{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    job.refresh_from_db()
    assert job.status == Status.QUEUED


def test_a_failed_link_can_be_retried(client_of_alice: APIClient, alice: User) -> None:
    job = linked(alice, status=Status.FAILED)

    answer = client_of_alice.post(f"/v1/download/{job.pk}/retry")

    assert (answer.status_code, answer.json()["total"]) == (202, None)
