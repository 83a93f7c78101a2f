"""GET /v1/download/jobs."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.states import Status
from tests.factories import ArtifactFactory, JobFactory

URL = "/v1/download/jobs"


def test_lists_the_callers_jobs_newest_first(
    client_of_alice: APIClient, alice: User, bob: User
) -> None:
    now = timezone.now()
    old = JobFactory(owner=alice, created_at=now - timedelta(hours=1))
    new = JobFactory(owner=alice, created_at=now)
    JobFactory(owner=bob)

    body = client_of_alice.get(URL).json()

    assert [job["jobId"] for job in body["results"]] == [str(new.pk), str(old.pk)]
    assert body["next"] is None


def test_pages_follow_each_other_without_gaps(client_of_alice: APIClient, alice: User) -> None:
    wanted = {str(JobFactory(owner=alice).pk) for _ in range(5)}

    seen, address = [], f"{URL}?limit=2"
    while address:
        page = client_of_alice.get(address).json()
        seen += [job["jobId"] for job in page["results"]]
        address = page["next"]

    assert len(seen) == 5
    assert set(seen) == wanted


def test_filters_by_status_and_search(client_of_alice: APIClient, alice: User) -> None:
    failed = JobFactory(owner=alice, status=Status.FAILED, name="Contracts.zip")
    JobFactory(owner=alice)

    for query in (
        "status=failed",
        "status=failed&kind=",
        "search=contr",
        f"search={str(failed.pk)[:8]}",
    ):
        results = client_of_alice.get(f"{URL}?{query}").json()["results"]
        assert [job["jobId"] for job in results] == [str(failed.pk)], query


@pytest.mark.parametrize("query", ["status=odd", "kind=odd", "cursor=garbage"])
def test_an_invalid_query_is_refused(client_of_alice: APIClient, query: str) -> None:
    response = client_of_alice.get(f"{URL}?{query}")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("url", [URL, "/downloads", "/reports"])
def test_only_staff_can_list_the_jobs_of_others(
    client_of_alice: APIClient, alice: User, bob: User, operator: User, url: str
) -> None:
    owned, kind = (
        {"owner": alice},
        {"/downloads": "remote", "/reports": "report"}.get(url, "bundle"),
    )
    job = JobFactory(kind=kind, status=Status.COMPLETED, artifact=ArtifactFactory(**owned), **owned)
    staff = APIClient()
    staff.force_authenticate(operator)

    refused = client_of_alice.get(url, {"userId": bob.pk})
    own = client_of_alice.get(url, {"userId": alice.pk}).json()["results"]
    (seen,) = staff.get(url, {"userId": alice.pk}).json()["results"]

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert [each["jobId"] for each in own] == [seen["jobId"]] == [str(job.pk)]
    assert "downloadUrl" in own[0]
    assert "downloadUrl" not in seen
    assert staff.get(url, {"userId": ""}).json()["results"] == []
    assert staff.get(url, {"userId": "9" * 18}).json()["results"] == []


@pytest.mark.parametrize("user_id", ["alice", "-1", "1.0", "9" * 30, "\u0661", "1,2"])
def test_an_invalid_user_id_is_refused(client_of_alice: APIClient, user_id: str) -> None:
    response = client_of_alice.get(URL, {"userId": user_id})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "userId"


@pytest.mark.parametrize("position", ["2026-01-01T00:00:00+23:59", "2026-01-01", "20260101T00Z"])
def test_a_cursor_with_another_time_format_is_accepted(
    client_of_alice: APIClient, position: str
) -> None:
    cursor = b64encode(urlencode({"p": position}).encode()).decode()

    assert client_of_alice.get(URL, {"cursor": cursor}).status_code == 200


def test_the_number_of_queries_does_not_depend_on_the_list(
    client_of_alice: APIClient, alice: User, django_assert_num_queries: Any
) -> None:
    for _ in range(15):
        JobFactory(owner=alice, status=Status.COMPLETED)

    with django_assert_num_queries(1):
        client_of_alice.get(URL)
