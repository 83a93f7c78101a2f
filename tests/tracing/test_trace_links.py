"""With TRACE_URL, the admin's page of a job has links to its traces."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from jobs.lib.tracing.trace_ids import trace_id_text
from jobs.models import DownloadJob

VIEWER = "http://localhost:16686/trace/{trace_id}"


@pytest.fixture
def attempted_twice(running_job: DownloadJob) -> DownloadJob:
    running_job.hand_back()
    running_job.claim(task_id="task-2", worker="worker@test")
    return running_job


def page_of(job: DownloadJob, client: Client) -> str:
    url = reverse("admin:jobs_downloadjob_change", args=[job.pk])
    return client.get(url).content.decode()


@pytest.fixture
def browser(operator: Any) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def test_page_links_to_the_trace_of_each_attempt(
    attempted_twice: DownloadJob, browser: Client, settings: Any
) -> None:
    settings.TRACE_URL = VIEWER

    page = page_of(attempted_twice, browser)

    first, second = (trace_id_text(attempted_twice.pk, attempt) for attempt in (1, 2))
    assert f'<a href="http://localhost:16686/trace/{second}">{second}</a>' in page
    for trace_id in (first, second):
        assert f'<a href="http://localhost:16686/trace/{trace_id}">Trace</a>' in page


def test_page_of_a_queued_job_links_to_the_trace_to_come(
    queued_job: DownloadJob, browser: Client, settings: Any
) -> None:
    settings.TRACE_URL = VIEWER

    assert f"/trace/{queued_job.pk.hex}" in page_of(queued_job, browser)


def test_page_has_no_links_without_a_viewer(attempted_twice: DownloadJob, browser: Client) -> None:
    page = page_of(attempted_twice, browser)

    assert "field-trace" not in page
    assert ">Trace</a>" not in page
    assert "field-request_id" in page
