"""The page and row of a link, where they differ from those of a zip."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.engine import estimates
from jobs.errors import JOB_CODES
from jobs.kinds.remote.kind import Remote
from jobs.models import DownloadJob
from jobs.states import Status
from jobs.web import wording
from jobs.web.serializers import request_of
from jobs.web.wording.history import WENT_WRONG
from jobs.web.wording.next_steps import ASK_OPERATOR
from tests.factories import LINK, ArtifactFactory, JobFactory, RemoteJobFactory, StoredFileFactory
from tests.pages.looks import of, text
from tests.pages.test_one_download import commands

BOTH = ("job-state", "job-row")
# Failures that the user can only retry or report.
OURS = {"build_failed", "stalled", "storage_unavailable", "worker_lost", "unexpected"}
OF_ZIPS = {"archive_too_large", "source_missing", "source_changed"}
HOPELESS = {"blocked_address", "blocked_redirect", "too_many_redirects", "checksum_mismatch"}
HOPELESS |= {"remote_refused", "remote_not_a_file"}
OF_UPLOADS = {"file_unreadable", "file_encrypted", "picture_too_large", "file_too_complex"}
OF_UPLOADS |= {"infected", "not_scanned", "scanner_unavailable", "type_not_allowed"}


@pytest.fixture
def running(alice: User) -> DownloadJob:
    """Return a running job of a link, claimed a minute ago."""
    job: DownloadJob = RemoteJobFactory(owner=alice)
    job.claim(task_id="task-1", worker="worker@test")
    begun = timezone.now() - timedelta(seconds=60)
    DownloadJob.objects.update(started_at=begun)
    job.refresh_from_db()
    return job


def plain(response: Any) -> str:
    return text(response).replace("\u00a0", " ")


def test_the_page_shows_the_request(visitor: Client, alice: User) -> None:
    html = text(visitor.get(of(RemoteJobFactory(owner=alice))))

    assert "A link to data.example.org, requested <time" in html
    assert "The link</h2>" in html
    assert f"<dd>{LINK}</dd>" in html
    assert f'href="{LINK}' not in html  # so that nobody follows it by accident


def test_the_expected_hash_is_shown_if_there_is_one(visitor: Client, alice: User) -> None:
    expected = "0123456789abcdef" * 4
    with_it = RemoteJobFactory(owner=alice, params={"url": LINK, "threads": 4, "sha256": expected})
    without = RemoteJobFactory(owner=alice)

    assert f"<dt>Expected SHA-256</dt><dd>{expected}</dd>" in text(visitor.get(of(with_it)))
    assert "Expected SHA-256" not in text(visitor.get(of(without)))


@pytest.mark.parametrize("name", BOTH)
def test_an_unknown_size_shows_bytes_and_an_indeterminate_bar(
    visitor: Client, running: DownloadJob, name: str
) -> None:
    running.heartbeat(done=3_100_000, message="Fetching frames.tar", speed=5_200_000, threads=4)

    html = plain(visitor.get(of(running, name)))

    assert "<span>3.1 MB so far</span><span>5.2 MB/s</span>" in html
    assert re.search(r"<progress (?![^>]*value=)", html)
    assert "Fetching frames.tar" in html
    assert "%" not in re.sub(r"<[^>]*>", "", html)


def test_nothing_is_estimated_without_a_size(visitor: Client, running: DownloadJob) -> None:
    running.heartbeat(done=3_100_000, message="Fetching frames.tar", speed=5_200_000, threads=4)

    assert estimates.estimated_seconds_left(running, timezone.now().timestamp()) is None
    html = text(visitor.get(of(running)))
    assert "Ready (estimate)" not in html
    assert "left</span>" not in html


@pytest.mark.parametrize("name", BOTH)
def test_the_size_is_shown_once_it_is_known(
    visitor: Client, running: DownloadJob, name: str
) -> None:
    running.record(total=14_200_000)
    running.heartbeat(done=7_100_000, message="Fetching frames.tar", speed=700_000, threads=4)

    html = plain(visitor.get(of(running, name)))

    assert "<span>7.1 of 14.2 MB</span><span>700 kB/s · about 11 s left</span>" in html
    assert 'value="50"' in html


@pytest.mark.parametrize(
    ("threads", "connections"),
    [(0, "None yet"), (1, "1"), (4, "4"), (16, "16")],
)
def test_the_connections_in_use_are_shown_while_it_runs(
    visitor: Client, running: DownloadJob, threads: int, connections: str
) -> None:
    running.heartbeat(done=1, message="Fetching frames.tar", threads=threads)
    fact = f"<dt>Connections</dt><dd>{connections}</dd>"

    assert fact in text(visitor.get(of(running)))
    running.fail("remote_refused", "data.example.org returned 404.")
    assert "<dt>Connections</dt>" not in text(visitor.get(of(running, "job-state")))


def test_the_servers_file_name_replaces_the_guess(visitor: Client, running: DownloadJob) -> None:
    assert '<h1 id="name">frames.tar</h1>' in text(visitor.get(of(running)))

    running.record(name="Frames of 2026.tar")

    html = text(visitor.get(of(running, "job-state")))
    assert '<h1 id="name" hx-swap-oob="true">Frames of 2026.tar</h1>' in html


def test_a_fetched_file_can_be_added_to_a_zip(visitor: Client, alice: User) -> None:
    job = RemoteJobFactory(owner=alice, status=Status.COMPLETED)

    html = text(visitor.get(of(job, "job-state")))

    number = job.artifact.file_id
    assert f'<dd><a href="/?file={number}">{number}</a> (can be added to a zip)</dd>' in html
    assert f"<dd>{job.artifact.sha256}</dd>" in html
    assert "fetched in 5" in html
    chosen = text(visitor.get("/", {"file": number}))
    assert re.search(rf'value="{number}" id="f{number}"[^>]* checked', chosen)


def test_a_zip_has_no_file_id(visitor: Client, alice: User) -> None:
    html = text(visitor.get(of(JobFactory(owner=alice, status=Status.COMPLETED))))

    assert "can be added to a zip" not in html
    assert "created in 5" in html


def test_fetched_files_are_listed_first_with_their_type(
    visitor: Client, alice: User, bob: User
) -> None:
    StoredFileFactory(file_id=80_000)
    ArtifactFactory(owner=bob, file_id=1_000_009, name="secret.tar")
    for n, (name, content_type) in enumerate(
        [("a.tar.gz", "application/x-gzip"), ("b.csv", "text/csv"), ("c", "application/x-strange")]
    ):
        ArtifactFactory(owner=alice, file_id=1_000_000 + n, name=name, content_type=content_type)

    html = text(visitor.get("/"))

    found = re.findall(r"<span>([^<]*)<span>(\w+) · (\d+)</span>", html)
    assert found == [
        ("c", "File", "1000002"),
        ("b.csv", "Table", "1000001"),
        ("a.tar.gz", "Archive", "1000000"),
        (found[-1][0], "Text", "80000"),
    ]
    assert "secret.tar" not in html


def test_the_commands_match_the_page(visitor: Client, alice: User) -> None:
    params = {"url": LINK + "&quote='", "threads": 2, "output": 'It\'s "ours".tar'}
    job = RemoteJobFactory(owner=alice, params=params, status=Status.COMPLETED)

    fetch, ask = commands(visitor.get(of(job)))

    assert fetch[:3] == ["curl", "-fLOJ", f"http://testserver{of(job, 'download')}"]
    assert ask[2] == "http://testserver/downloads"
    serializer = request_of(Remote)(data=json.loads(ask[-1]), context={"owner": job.owner})
    assert serializer.is_valid()
    assert serializer.submission()["params"] == params


@pytest.mark.parametrize("code", sorted(JOB_CODES.keys() - OF_UPLOADS))
def test_each_failure_has_a_sentence_of_its_own(visitor: Client, alice: User, code: str) -> None:
    make = JobFactory if code in OF_ZIPS else RemoteJobFactory
    job = make(owner=alice)
    job.claim(task_id="task-1", worker="worker@test")
    job.fail(code, "The reason.")

    html = unescape(text(visitor.get(of(job))))

    next_step = wording.next_step(job.kind, code)
    assert (next_step == ASK_OPERATOR) == (code in OURS)
    assert f'<p class="reason">{next_step}</p>' in html
    went_wrong = WENT_WRONG[code]
    assert f"Failed: {went_wrong[0].lower()}{went_wrong[1:]}" in html
    assert "The reason." in html


@pytest.mark.parametrize("code", sorted(JOB_CODES.keys() - OF_UPLOADS))
def test_a_hopeless_link_is_edited_rather_than_retried(
    visitor: Client, alice: User, code: str
) -> None:
    job = RemoteJobFactory(owner=alice, status=Status.FAILED, error_code=code, error="Oh.")

    html = re.sub("<svg.*?</svg>", "", text(visitor.get(of(job, "job-state"))))

    first = re.search(r'class="button primary"[^>]*>([^<]*)', html)
    assert first
    assert first[1] == ("Edit the link" if code in HOPELESS else "Retry")
    assert (f'href="/link?job={job.pk}"' in html) == (code in HOPELESS)
    assert "Retry" in html


@pytest.mark.parametrize("status", list(Status))
def test_a_poll_reads_the_link_only_after_a_failure(
    visitor: Client, alice: User, status: Status
) -> None:
    job = RemoteJobFactory(owner=alice, status=status)

    with CaptureQueriesContext(connection) as seen:
        for name in BOTH:
            visitor.get(of(job, name))

    assert not [query for query in seen.captured_queries if '"params"' in query["sql"]]


def test_hostile_names_and_links_are_escaped(visitor: Client, alice: User) -> None:
    evil = "<script>alert(1)</script>"
    params = {"url": f"https://example.org/{evil}", "threads": 4}
    job = RemoteJobFactory(owner=alice, name=evil, params=params)

    for path in (of(job), of(job, "job-state"), "/downloads", f"/link?job={job.pk}"):
        assert "<script>alert" not in text(visitor.get(path)), path
