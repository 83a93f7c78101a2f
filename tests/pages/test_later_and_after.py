"""Pages of downloads that are scheduled or depend on others."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.engine.sweeps import sweep_blocked_jobs
from jobs.models import DownloadJob
from jobs.states import Actor, Status
from jobs.terms import USUAL_PRIORITY
from jobs.web import wording
from tests.factories import JobFactory, StoredFileFactory
from tests.pages.looks import of, text

BOTH = ("job-state", "job-row")
NOON = datetime(2099, 11, 24, 12, tzinfo=UTC)


def words(response: Any) -> str:
    """Return the text without markup."""
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text(response)))
    return plain.replace("\u00a0", " ")


def scheduled(owner: User, at: datetime = NOON, **fields: Any) -> DownloadJob:
    job: DownloadJob = JobFactory(owner=owner, run_at=at, available_at=at, **fields)
    return job


def held(owner: User, *others: DownloadJob, **fields: Any) -> DownloadJob:
    job: DownloadJob = JobFactory(owner=owner, held=True, **fields)
    job.after.set(others)
    return job


@pytest.mark.parametrize("name", BOTH)
def test_a_scheduled_download_shows_its_start(visitor: Client, alice: User, name: str) -> None:
    response = visitor.get(of(scheduled(alice), name))

    assert "Scheduled" in words(response)
    assert "tarts on 24 November 2099 at 12:00" in words(response)
    time = '<time datetime="2099-11-24T12:00:00+00:00" data-time="start">on 24 November'
    assert time in text(response)
    assert 'href="#scheduled"' in text(response)
    assert "is-scheduled" in text(response)


def test_a_start_today_says_today(alice: User) -> None:
    status_text = wording.job_status_text(scheduled(alice), NOON - timedelta(hours=2))

    assert f"{status_text.line} {status_text.starts}." == "Starts today at 12:00."


def test_a_download_whose_start_has_passed_is_queued(visitor: Client, alice: User) -> None:
    job = scheduled(alice, timezone.now() - timedelta(seconds=1))

    assert "Scheduled" not in words(visitor.get(of(job)))
    assert "Starts as soon as a worker is free." in words(visitor.get(of(job)))


def test_a_retry_is_not_shown_as_scheduled(visitor: Client, running_job: DownloadJob) -> None:
    DownloadJob.objects.update(run_at=timezone.now() - timedelta(hours=1))
    running_job.retry("storage_unavailable", "The file store is unavailable.", after_seconds=30)

    assert "Retrying in" in words(visitor.get(of(running_job)))


@pytest.mark.parametrize(
    ("unready", "sentence"),
    [
        (["Frames.tar"], "Starts when Frames.tar is ready."),
        (["Frames.tar", "b"], "Starts when Frames.tar and one other are ready."),
        (["Frames.tar", "b", "c"], "Starts when Frames.tar and 2 others are ready."),
        ([], "Starts in a moment."),
    ],
)
def test_a_blocked_download_shows_its_dependencies(
    visitor: Client, alice: User, unready: list[str], sentence: str
) -> None:
    ready = JobFactory(owner=alice, status=Status.COMPLETED, name="Ready.zip")
    gone = JobFactory(owner=alice, status=Status.EXPIRED, name="Gone.zip")
    job = held(alice, ready, gone, *(JobFactory(owner=alice, name=name) for name in unready))

    for name in BOTH:
        response = visitor.get(of(job, name))
        assert "Waiting" in words(response)
        assert sentence[1:].rstrip(".") in words(response)
        assert 'href="#held"' in text(response)
    assert sentence in words(visitor.get(of(job)))


@pytest.mark.parametrize("make", [scheduled, held])
def test_it_can_be_cancelled_and_shows_no_dependencies_then(
    visitor: Client, alice: User, make: Any
) -> None:
    job = make(alice)
    for name in BOTH:
        assert f'action="{of(job, "job-cancel")}"' in text(visitor.get(of(job, name)))

    visitor.post(of(job, "job-cancel"))

    html = words(visitor.get(of(job)))
    assert "No file was kept." in html
    assert "Scheduled" not in html
    assert "Waiting" not in html


@pytest.mark.parametrize(
    ("age", "ahead", "every"),
    [
        (0, timedelta(days=2), 3600),
        (0, timedelta(seconds=9), 9),
        (0, timedelta(seconds=2), 3),
        (0, None, 3),
        (61, None, 15),
    ],
)
def test_a_long_wait_is_polled_less_often(
    visitor: Client, alice: User, age: int, ahead: timedelta | None, every: int
) -> None:
    job = scheduled(alice, timezone.now() + ahead) if ahead else held(alice)
    DownloadJob.objects.update(created_at=timezone.now() - timedelta(seconds=age))

    for name in BOTH:
        found = re.search(r'hx-trigger="every (\d+)s, look"', text(visitor.get(of(job, name))))
        assert found
        assert every - int(found[1]) in (0, 1)


def test_a_poll_shows_a_completed_dependency(visitor: Client, alice: User) -> None:
    first, second = JobFactory.create_batch(2, owner=alice)
    job = held(alice, first, second)
    found = re.search(r'hx-get="([^"]+)"', text(visitor.get(of(job, "job-state"))))
    assert found
    assert visitor.get(found[1]).status_code == 204

    DownloadJob.objects.filter(pk=first.pk).update(**ended(JobFactory(status=Status.EXPIRED)))

    response = visitor.get(found[1])
    assert "is ready." in words(response)
    assert 'id="others" hx-swap-oob="true"' in text(response)


def ended(like: DownloadJob) -> dict[str, Any]:
    return {name: getattr(like, name) for name in ("status", "finished_at", "lease_until")}


def test_pages_list_dependencies_and_dependents(visitor: Client, alice: User) -> None:
    ready = JobFactory(owner=alice, status=Status.COMPLETED, name="Ready.zip")
    running = JobFactory(owner=alice, status=Status.PROCESSING, name="Running.zip")
    job = held(alice, ready, running, name="Both.zip")

    own_page, theirs = text(visitor.get(of(job))), text(visitor.get(of(running)))

    assert section(own_page, "Depends on") == [
        (of(ready), "Ready.zip", "Ready"),
        (of(running), "Running.zip", "Working"),
    ]
    assert section(theirs, "Required by") == [(of(job), "Both.zip", "Waiting")]
    assert "Depends on" not in theirs
    assert "Required by" not in own_page


def section(html: str, title: str) -> list[tuple[str, ...]]:
    of_title = html.split(f">{title}</h2>")[1].split("</section>")[0]
    row = r'<a href="([^"]*)">([^<]*)</a><span class="tint small">([^<]*)</span>'
    return [tuple(found) for found in re.findall(row, of_title)]


def test_the_first_dependencies_are_listed_in_two_queries(
    visitor: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    job = held(alice, *JobFactory.create_batch(30, owner=alice))

    with django_assert_max_num_queries(12):
        html = text(visitor.get(of(job)))

    assert len(section(html, "Depends on")) == 20
    assert "and more" in html


def test_dependencies_of_a_started_download_are_in_the_past_tense(
    visitor: Client, alice: User
) -> None:
    job = held(alice, JobFactory(owner=alice, status=Status.COMPLETED))

    assert sweep_blocked_jobs() == 1

    html = text(visitor.get(of(job)))
    assert section(html, "Depended on")
    assert "The downloads it depends on are ready" in html


def test_a_failed_dependency_is_shown(visitor: Client, alice: User) -> None:
    job = held(alice, JobFactory(owner=alice, status=Status.CANCELLED, name="Frames.tar"))

    assert sweep_blocked_jobs() == 1

    html = words(visitor.get(of(job)))
    assert "Frames.tar, which this download depends on, was cancelled." in html
    assert "Run the downloads it depends on again, then this one." in html


def test_the_history_shows_what_comes_next(visitor: Client, alice: User) -> None:
    later, waiting = scheduled(alice), held(alice, JobFactory(owner=alice, name="Frames.tar"))

    assert 'class="ahead"' in text(visitor.get(of(later)))
    assert "<p>Starts</p>" in text(visitor.get(of(later)))
    assert "<p>Starts when Frames.tar is ready</p>" in text(visitor.get(of(waiting)))
    assert "<time></time>" not in text(visitor.get(of(waiting)))


def test_details_show_notifications_without_secrets(visitor: Client, alice: User) -> None:
    hook = "https://hooks.example.org/T0/secret?key=secret"
    job = held(alice, run_at=NOON, email=True, webhook=hook, priority=7)

    html = text(visitor.get(of(job)))

    assert "<dd>Email, webhook to hooks.example.org</dd>" in html
    assert "<dt>Priority</dt><dd>7 of 9</dd>" in html
    assert "<dt>Scheduled for</dt>" in html
    assert "24 November 2099 at 12:00" in html
    assert "secret" not in html


def test_default_terms_are_not_shown(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, priority=USUAL_PRIORITY)

    html = text(visitor.get(of(job)))

    assert "Priority" not in html
    assert "<dt>Notifications</dt>" not in html
    assert 'id="others"></div>' in html


def test_no_notifications_are_shown_after_the_end(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, status=Status.COMPLETED, email=True, webhook="https://a.example")

    assert "<dt>Notifications</dt>" not in text(visitor.get(of(job)))


def test_lists_show_it_too(visitor: Client, alice: User) -> None:
    scheduled(alice)
    held(alice, JobFactory(owner=alice, name="Frames.tar"))

    html = words(visitor.get("/downloads"))

    assert "starts on 24 November 2099 at 12:00" in html
    assert "starts when Frames.tar is ready" in html


# A zip of the results of other downloads


def test_results_are_among_the_contents_of_a_zip(visitor: Client, alice: User) -> None:
    stored = StoredFileFactory(name="Stored.txt")
    ready = JobFactory(owner=alice, status=Status.COMPLETED)
    coming = JobFactory(owner=alice, name="Coming.zip")
    lost = JobFactory(owner=alice, name="Lost.zip", status=Status.FAILED)
    ids = [str(job.pk) for job in (ready, coming, lost)]
    job = held(alice, coming, params={"file_ids": [stored.file_id], "job_ids": ids})

    html = text(visitor.get(of(job)))

    assert "4 files as one zip" in html
    assert "4 files</h2>" in html
    for name, size in [
        ("Stored.txt", "5\u00a0B"),
        (ready.artifact.name, "5\u00a0B"),
        ("Coming.zip", "not ready yet"),
        ("Lost.zip", "not found"),
    ]:
        assert f"<li><span>{name}</span><span>{size}</span></li>" in html


def test_digits_in_the_id_of_a_missing_result_are_not_file_ids(
    visitor: Client, alice: User
) -> None:
    file = StoredFileFactory(file_id=12_345_678)
    maker = JobFactory(owner=alice, status=Status.FAILED, id="12345678-0000-4000-8000-000000000000")
    job = JobFactory(
        owner=alice,
        status=Status.FAILED,
        params={"file_ids": [file.file_id], "job_ids": [str(maker.pk)]},
        error_code="source_missing",
        error=f"The result of download {maker.pk} could not be found.",
    )

    assert f'href="/?file={file.file_id}">Choose again' in text(visitor.get(of(job)))


def test_a_retried_download_is_blocked_again(visitor: Client, alice: User, broker: Any) -> None:
    other = JobFactory(owner=alice, status=Status.FAILED, name="Frames.tar")
    job = held(alice, other)
    sweep_blocked_jobs()
    other.refresh_from_db()
    other.requeue(Actor.OWNER, total=1)

    visitor.post(of(job, "job-retry"))

    assert "Starts when Frames.tar is ready." in words(visitor.get(of(job)))
