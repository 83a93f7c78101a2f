"""The page of a download: its state, buttons, polls and history."""

from __future__ import annotations

import json
import re
import shlex
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.kinds.bundle.kind import FilesBundle
from jobs.models import DownloadJob, JobEvent, StoredFile
from jobs.states import FINAL, Actor, Event, Status
from jobs.web.serializers import request_of
from tests.factories import JobFactory, StoredFileFactory
from tests.pages.looks import of, text


@pytest.mark.parametrize("name", ["job-page", "job-state", "job-row"])
def test_a_foreign_download_is_403_and_an_unknown_one_404(
    visitor: Client, bob: User, name: str
) -> None:
    foreign = visitor.get(of(JobFactory(owner=bob, name="secret"), name))
    unknown = visitor.get(reverse(name, args=[uuid4()]))

    assert (foreign.status_code, unknown.status_code) == (403, 404)
    assert "text/html" in foreign["Content-Type"]
    assert "secret" not in text(foreign)
    assert "Not found" in text(unknown)


@pytest.mark.parametrize("name", ["job-cancel", "job-retry"])
def test_a_foreign_download_cannot_be_changed(visitor: Client, bob: User, name: str) -> None:
    foreign = JobFactory(owner=bob, status=Status.FAILED if name == "job-retry" else Status.QUEUED)

    response = visitor.post(of(foreign, name))

    assert response.status_code == 403
    assert DownloadJob.objects.get(pk=foreign.pk).status == foreign.status


@pytest.mark.parametrize("name", ["job-cancel", "job-retry"])
def test_a_view_changes_nothing(visitor: Client, alice: User, name: str) -> None:
    job = JobFactory(owner=alice)

    assert visitor.get(of(job, name)).status_code == 405
    assert DownloadJob.objects.get().status == Status.QUEUED


def test_cancel_returns_to_the_page(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice)

    response = visitor.post(of(job, "job-cancel"))

    assert (response.status_code, response["Location"]) == (303, of(job))
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    assert job.events.get().by == Actor.OWNER


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.EXPIRED])
def test_retry_queues_it_under_the_same_id(
    visitor: Client, alice: User, broker: Any, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    response = visitor.post(of(job, "job-retry"))

    assert (response.status_code, response["Location"]) == (303, of(job))
    assert DownloadJob.objects.get().status == Status.QUEUED


@pytest.mark.parametrize(
    ("name", "status"),
    [("job-cancel", status) for status in sorted(FINAL)]
    + [("job-retry", s) for s in (Status.QUEUED, Status.PROCESSING, Status.COMPLETED)],
)
def test_an_action_that_is_too_late_is_reported(
    visitor: Client, alice: User, name: str, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    response = visitor.post(of(job, name), follow=True)

    assert response.redirect_chain == [(of(job), 303)]
    assert "Nothing was changed" in text(response)
    assert DownloadJob.objects.get(pk=job.pk).version == job.version


@pytest.mark.parametrize("status", list(Status))
def test_only_active_downloads_are_polled(visitor: Client, alice: User, status: Status) -> None:
    job = JobFactory(owner=alice, status=status)
    polled = 0 if status in FINAL else 1

    page, listed = text(visitor.get(of(job))), text(visitor.get("/downloads"))

    for html, name in [(page, "job-state"), (listed, "job-row")]:
        assert html.count(f'hx-get="{of(job, name)}?was=') == polled
        assert html.count('hx-trigger="load delay:1s, every 3s, look"') == polled
        assert html.count('<noscript><meta http-equiv="refresh"') == polled
        assert ('hx-trigger="every 3s, look"' in text(visitor.get(of(job, name)))) == bool(polled)


def test_long_jobs_are_polled_less_often(visitor: Client, queued_job: DownloadJob) -> None:
    DownloadJob.objects.update(created_at=timezone.now() - timedelta(seconds=61))

    assert 'hx-trigger="every 5s, look"' in text(visitor.get(of(queued_job, "job-state")))


@pytest.mark.parametrize(
    ("status", "word", "verb"),
    [
        (Status.QUEUED, "Queued", "Cancel"),
        (Status.PROCESSING, "Working", "Cancel"),
        (Status.COMPLETED, "Ready", "Download"),
        (Status.FAILED, "Failed", "Retry"),
        (Status.CANCELLED, "Cancelled", "Retry"),
        (Status.EXPIRED, "Expired", "Recreate"),
    ],
)
def test_each_state_has_its_word_and_button(
    visitor: Client, alice: User, status: Status, word: str, verb: str
) -> None:
    job = JobFactory(owner=alice, status=status)

    for name in ("job-state", "job-row"):
        html = text(visitor.get(of(job, name)))
        assert word in html
        assert verb in html
    assert (of(job, "download") in html) == (status == Status.COMPLETED)


def test_a_retry_shows_its_delay_and_attempt(visitor: Client, running_job: DownloadJob) -> None:
    running_job.retry("storage_unavailable", "The file store did not answer.", after_seconds=30)

    html = text(visitor.get(of(running_job))).replace("\u00a0", " ")

    assert re.search('Retrying in <span data-countdown="(30|29)">(30|29) s</span>', html)
    assert "Attempt 2 of 4 is next." in html
    assert "The file store did not answer." in html


def test_a_job_whose_lease_expired_says_so(visitor: Client, running_job: DownloadJob) -> None:
    silent = timezone.now() - timedelta(seconds=48)
    DownloadJob.objects.update(lease_until=silent, updated_at=silent)

    html = text(visitor.get(of(running_job))).replace("\u00a0", " ")

    assert "No response from the worker for 48 s" in html
    assert "is-stalled" in html


def test_progress_is_shown_in_bytes_and_percent(visitor: Client, running_job: DownloadJob) -> None:
    DownloadJob.objects.update(total=104_900_000)
    running_job.refresh_from_db()
    running_job.heartbeat(done=42_000_000, message="Adding 1 of 2: a.txt")

    html = text(visitor.get(of(running_job, "job-state")))

    assert 'value="40"' in html
    assert "42.0 of 104.9\u00a0MB" in html
    assert "Adding 1 of 2: a.txt" in html
    assert "<title>40% 2 files.zip" in html


def test_a_poll_announces_only_changes(visitor: Client, running_job: DownloadJob) -> None:
    for name in ("job-state", "job-row"):
        assert 'id="said"' not in text(visitor.get(of(running_job, name), {"was": "working-1"}))
        assert 'id="said"' in text(visitor.get(of(running_job, name), {"was": "queued-1"}))


@pytest.mark.parametrize("name", ["job-state", "job-row"])
def test_an_unchanged_poll_is_204(visitor: Client, running_job: DownloadJob, name: str) -> None:
    found = re.search(r'hx-get="([^"]+)"', text(visitor.get(of(running_job, name))))
    assert found

    assert visitor.get(found[1]).status_code == 204
    running_job.heartbeat(done=1, message="Adding 2 of 2: b.txt")
    assert "Adding 2 of 2" in text(visitor.get(found[1]))


def test_a_countdown_alone_is_no_change(visitor: Client, running_job: DownloadJob) -> None:
    running_job.retry("storage_unavailable", "The file store did not answer.", after_seconds=30)
    found = re.search(r'hx-get="([^"]+)"', text(visitor.get(of(running_job, "job-state"))))
    assert found
    DownloadJob.objects.update(available_at=timezone.now() + timedelta(seconds=20))

    assert visitor.get(found[1]).status_code == 204


def test_history_has_plain_words_without_tracebacks(
    visitor: Client, running_job: DownloadJob
) -> None:
    running_job.retry("unexpected", "Oh.", after_seconds=0, detail="Traceback: secret")
    running_job.claim(task_id="task-2", worker="worker@secret")
    running_job.rescue(Actor.DISPATCHER)
    running_job.cancel(Actor.OPERATOR)
    running_job.requeue(Actor.OWNER, total=1)

    html = text(visitor.get(of(running_job)))

    sentences = re.findall(r"<div><p>([^<]*)</p>", html)
    assert sentences == [
        "Attempt 1 started",
        "Something went wrong on our side.",
        "Attempt 2 started",
        "The worker stopped responding.",
        "Cancelled by an operator",
        "Retried by you",
    ]
    assert "secret" not in html


@pytest.mark.parametrize("event", list(Event))
def test_every_event_has_a_sentence(visitor: Client, alice: User, event: Event) -> None:
    job = JobFactory(owner=alice, status=Status.FAILED)
    JobEvent.objects.record(job, event, Actor.WORKER, code="a code nobody knows")

    assert visitor.get(of(job)).status_code == 200


def test_the_contents_are_the_first_files_with_their_sizes(
    visitor: Client,
    alice: User,
    bob: User,
    django_assert_max_num_queries: Any,
    constant_estimates: None,
) -> None:
    files = StoredFileFactory.create_batch(30, size_bytes=14_200_000)
    StoredFile.objects.filter(pk=files[1].pk).update(owner=bob, name="secret.txt")
    job = JobFactory(owner=alice, params={"file_ids": [file.file_id for file in files]})

    visitor.get(of(job))  # then the speed of the kind is cached

    with django_assert_max_num_queries(9):
        html = text(visitor.get(of(job)))

    assert "30 files</h2>" in html
    assert files[0].name in html
    assert "14.2\u00a0MB" in html
    assert files[20].name not in html
    assert "and 10 more" in html
    assert f"<span>{files[1].file_id}</span><span>not found</span>" in html
    assert "secret.txt" not in html


def commands(response: Any) -> list[list[str]]:
    """Return the commands on the page as a shell parses them."""
    found = re.findall(r"<code>(curl.*?)</code>", text(response), re.DOTALL)
    lines = [unescape(command).replace("\\\n", "") for command in found]  # a shell joins them, too
    return [shlex.split(line) for line in lines]


def test_the_commands_match_the_page(visitor: Client, alice: User) -> None:
    name = 'It\'s "Ours" & <theirs> — ü.zip'
    params = {"file_ids": [80_001, 80_000]}
    job = JobFactory(owner=alice, name=name, params=params, status=Status.COMPLETED)

    fetch, ask = commands(visitor.get(of(job)))

    assert fetch[:3] == ["curl", "-fLOJ", f"http://testserver{of(job, 'download')}"]
    assert ask[2] == "http://testserver/v1/download/initiate"
    assert fetch[3:5] == ask[3:5] == ["-H", "Authorization: Bearer $TOKEN"]
    serializer = request_of(FilesBundle)(data=json.loads(ask[-1]), context={"owner": job.owner})
    assert serializer.is_valid()
    assert serializer.submission()["params"] == job.params
    assert serializer.validated_data["name"] == name


def test_commands_fit_a_command_line(visitor: Client, alice: User) -> None:
    params = {"file_ids": list(range(80_000, 80_101))}
    job = JobFactory(owner=alice, params=params, status=Status.COMPLETED)

    assert [command[1] for command in commands(visitor.get(of(job)))] == ["-fLOJ"]


@pytest.mark.parametrize("status", [status for status in Status if status != Status.COMPLETED])
def test_no_command_fetches_a_file_that_is_not_there(
    visitor: Client, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    (ask,) = commands(visitor.get(of(job)))

    assert ask[2] == "http://testserver/v1/download/initiate"


def test_without_any_file_left_it_offers_to_choose_again(visitor: Client, alice: User) -> None:
    job = JobFactory(
        owner=alice, status=Status.FAILED, error_code="source_missing", error="Files are gone."
    )

    response = visitor.get(of(job))

    assert 'href="/">Choose again' in text(response)
    assert commands(response) == []  # it would fail again


def test_a_zip_with_missing_files_can_be_made_of_the_others(visitor: Client, alice: User) -> None:
    file = StoredFileFactory(file_id=80_000)
    gone = StoredFileFactory(file_id=80_002)  # only its bytes are missing
    job = JobFactory(
        owner=alice,
        status=Status.FAILED,
        params={"file_ids": [80_000, 80_001, gone.file_id]},
        error_code="source_missing",
        error="These files could not be found: 80001 and 1 more.",
        metadata={"missingFileIds": [80_001, gone.file_id]},
    )

    html = text(visitor.get(of(job)))

    assert f'href="/?file={file.file_id}">Choose again' in html
    assert "These files could not be found: 80001 and 1 more." in html


def test_names_are_escaped(visitor: Client, alice: User) -> None:
    name = "<script>alert(1)</script>.zip"
    StoredFileFactory(file_id=80_000, name=name)
    job = JobFactory(owner=alice, name=name, params={"file_ids": [80_000]})

    for path in ("/", "/?file=80000&search=x", "/downloads", of(job), of(job, "job-row")):
        assert "<script>alert" not in text(visitor.get(path)), path


@pytest.mark.parametrize("file_ids", [[], [80_000]])
def test_the_command_for_a_zip_of_results_is_valid(
    visitor: Client, alice: User, file_ids: list[int]
) -> None:
    maker = JobFactory(owner=alice)
    params = {"file_ids": file_ids, "job_ids": [str(maker.pk)]}
    job = JobFactory(owner=alice, params=params)

    (ask,) = commands(visitor.get(of(job)))

    serializer = request_of(FilesBundle)(data=json.loads(ask[-1]), context={"owner": alice})
    assert serializer.is_valid()
    assert serializer.submission()["params"] == params
