"""The pages, as a browser without JavaScript sees them. tests/browser/ has the one with."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from jobs import http
from jobs.middleware import PRIVATE
from jobs.models import DownloadJob, StoredFile
from jobs.problems import PROBLEM
from jobs.serializers import BundleRequest
from jobs.states import FINAL, Actor, Event, Status
from tests.factories import ArtifactFactory, JobFactory, StoredFileFactory

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:")
NOT_FILES = ["abc", "-1", "1e5", "70000.0", "", "٣٤٥٦٧", "9" * 40, "9999", "100000001"]


@pytest.fixture
def visitor(alice: User) -> Client:
    """Alice's."""
    client = Client(headers=BROWSER)
    client.force_login(alice)
    return client


def text(response: Any) -> str:
    return str(response.content.decode())


def names(response: Any) -> list[str]:
    """Of the downloads in a list, from the top."""
    return re.findall(r"<h3><a [^>]*>([^<]*)</a></h3>", text(response))


def numbers(response: Any) -> list[int]:
    """Of the files in the table, from the top."""
    return [int(found) for found in re.findall(r'value="(\d+)" id="f\d+"', text(response))]


def ticked(response: Any) -> set[int]:
    boxes = re.findall(
        r'<input type="checkbox" name="file" value="(\d+)"[^>]* checked>', text(response)
    )
    return set(map(int, boxes))


def of(job: DownloadJob, name: str = "job-page") -> str:
    return reverse(name, args=[job.pk])


# Signing in


@pytest.mark.parametrize("path", ["/", "/downloads", f"/downloads/{UUID(int=1)}"])
@pytest.mark.django_db
def test_whoever_is_not_signed_in_is_sent_to_sign_in(path: str) -> None:
    response = Client().get(path)

    assert response.status_code == 302
    assert response["Location"] == f"/sign-in?next={path}"


@pytest.mark.django_db
def test_a_form_of_somebody_signed_out_changes_nothing_and_leads_back_to_it() -> None:
    job = JobFactory()

    assert Client().post(of(job, "job-cancel"))["Location"] == f"/sign-in?next={of(job)}"

    assert DownloadJob.objects.get().status == Status.QUEUED


def test_what_somebody_signed_out_chose_is_there_again_after_signing_in(alice: User) -> None:
    StoredFileFactory.create(file_id=80_000)
    client, login = Client(), {"username": "alice", "password": "correct horse"}
    asked = {"file": ["80000"], "name": "Ours & theirs", "csrfmiddlewaretoken": "x"}

    to_sign_in = client.post("/downloads", asked)["Location"]
    form = client.get(to_sign_in)
    back = client.post("/sign-in", login | {"next": form.context["next"]})["Location"]

    response = client.get(back)
    assert ticked(response) == {80_000}
    assert 'value="Ours &amp; theirs"' in text(response)
    assert "csrf" not in back
    assert not DownloadJob.objects.exists()


@pytest.mark.django_db
def test_a_choice_too_long_for_an_address_does_not_end_in_an_error() -> None:
    response = Client().post("/downloads", {"file": [str(80_000 + n) for n in range(900)]})

    assert response["Location"] == "/sign-in?next=/"


@pytest.mark.parametrize("name", ["job-row", "job-state"])
@pytest.mark.django_db
def test_a_poll_of_somebody_signed_out_is_refused_and_the_page_says_so(name: str) -> None:
    response = Client().get(of(JobFactory(), name), headers={"HX-Request": "true"})

    assert response.status_code == 401
    assert not response.content  # above all no sign-in form in the place of a row


def test_signing_in_leads_to_the_page_asked_for_and_out_again(alice: User) -> None:
    client = Client()
    login = {"username": "alice", "password": "correct horse", "next": "/downloads"}

    assert client.post("/sign-in", login)["Location"] == "/downloads"
    assert client.get("/sign-in")["Location"] == "/"
    assert client.post("/sign-out")["Location"] == "/sign-in"
    assert client.get("/downloads").status_code == 302


def test_signing_in_never_leads_to_another_site(alice: User) -> None:
    login = {"username": "alice", "password": "correct horse", "next": "https://evil.example/"}

    assert Client().post("/sign-in", login)["Location"] == "/"


@pytest.mark.parametrize(
    "given", [{}, {"username": "alice", "password": "x"}, {"username": "a\x00"}]
)
def test_a_wrong_password_stays_on_the_page(alice: User, given: dict[str, str]) -> None:
    client = Client()

    response = client.post("/sign-in", given)

    assert response.status_code == 200
    assert "_auth_user_id" not in client.session


# Choosing files


def test_only_files_that_may_be_used_are_offered(visitor: Client, alice: User, bob: User) -> None:
    public, own = StoredFileFactory(), StoredFileFactory(owner=alice)
    StoredFileFactory(owner=bob)
    StoredFileFactory(expires_at=timezone.now() - timedelta(seconds=1))
    ArtifactFactory(owner=alice)

    assert numbers(visitor.get("/")) == [own.file_id, public.file_id]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"search": "REPORT"}, [80002, 80001]),
        ({"search": "80001"}, [80001]),
        ({"search": "report 100%"}, [80002]),
        ({"search": "nothing like it"}, []),
        ({"type": "pdf"}, [80001]),
        ({"type": "picture", "search": "report"}, []),
        ({"type": "no such type"}, [80003, 80002, 80001]),
        ({"search": "9" * 300}, [80003, 80002, 80001]),
        ({"search": "999999999"}, []),
    ],
)
def test_files_are_found_by_name_number_and_type(
    visitor: Client, asked: dict[str, str], found: list[int]
) -> None:
    StoredFileFactory(file_id=80001, name="report.pdf", content_type="application/pdf")
    StoredFileFactory(file_id=80002, name="Report 100%.txt")
    StoredFileFactory(file_id=80003, name="photo.jpg", content_type="image/jpeg")

    assert numbers(visitor.get("/", asked)) == found


def test_paging_through_the_files_loses_none_and_comes_back(visitor: Client) -> None:
    for n in range(60):
        StoredFileFactory(file_id=80_000 + n)
    first = numbers(visitor.get("/"))
    second = numbers(visitor.get("/", {"before": first[-1]}))
    third = numbers(visitor.get("/", {"before": second[-1]}))

    assert first + second + third == list(range(80_059, 79_999, -1))
    assert numbers(visitor.get("/", {"after": third[0]})) == second
    assert numbers(visitor.get("/", {"after": second[0]})) == first
    assert numbers(visitor.get("/", {"before": 10_000})) == first


@pytest.mark.parametrize("dirt", NOT_FILES)
def test_dirt_in_the_address_is_no_error(visitor: Client, dirt: str) -> None:
    StoredFileFactory(file_id=80_000)

    for name in ("file", "before", "after", "search", "type", "name"):
        assert visitor.get("/", {name: dirt}).status_code == 200, name


def test_ticks_survive_a_search(visitor: Client, bob: User) -> None:
    here, there = StoredFileFactory(name="here.txt"), StoredFileFactory(name="there.txt")
    foreign = StoredFileFactory(owner=bob, name="secret.txt")
    asked = {
        "file": [f.file_id for f in (here, there, foreign)],
        "search": "here.txt",
        "name": "My",
    }

    response = visitor.get("/", asked)

    assert numbers(response) == [there.file_id, here.file_id]  # "there.txt" has it in it, too
    assert ticked(response) == {here.file_id, there.file_id}
    assert ticked(visitor.get("/", asked | {"search": "x"})) == {here.file_id, there.file_id}
    assert "secret.txt" not in text(response)
    assert 'value="My"' in text(response)


def test_a_search_by_a_script_gets_the_table_alone(visitor: Client) -> None:
    StoredFileFactory(file_id=80_000, name="photo.jpg", content_type="image/jpeg")
    asked = {"type": "picture", "search": "photo"}

    html = text(visitor.get("/", asked, headers={"HX-Request": "true"}))

    assert html.startswith('<div id="found">')
    assert "photo.jpg" in html
    assert re.search(r'id="type-picture"[^>]* aria-pressed="true"', html)
    assert "1 file shown" in html
    assert "<aside" not in html


def test_more_ticks_than_an_address_holds_survive_a_search_without_scripts(
    visitor: Client,
) -> None:
    files = [file.file_id for file in StoredFileFactory.create_batch(300)]

    few, many = visitor.get("/", {"file": files[:100]}), visitor.post("/", {"file": files})

    assert '<form class="sides" method="get"' in text(few)
    assert '<form class="sides" method="post"' in text(many)
    assert ticked(many) == set(files)
    assert not DownloadJob.objects.exists()


def test_the_choice_costs_the_same_queries_for_one_file_and_for_many(
    visitor: Client, django_assert_max_num_queries: Any
) -> None:
    files = StoredFileFactory.create_batch(40)

    with django_assert_max_num_queries(5):
        visitor.get("/", {"file": [file.file_id for file in files]})


# Asking for a zip


def test_the_chosen_files_become_a_job(visitor: Client, alice: User, broker: Any) -> None:
    asked = {"file": ["80001", "80000", "80001"], "name": " Holiday ", "search": "left over"}

    response = visitor.post("/downloads", asked)

    job = DownloadJob.objects.get()
    assert response.status_code == 303
    assert response["Location"] == of(job)
    assert job.owner == alice
    assert job.params == {"file_ids": [80001, 80000]}
    assert job.name == "Holiday.zip"
    assert visitor.get(response["Location"]).status_code == 200


def refused(visitor: Client, asked: dict[str, Any]) -> HttpResponse:
    """The page that says no; nothing was made."""
    response = visitor.post("/downloads", asked)

    assert response.status_code == 400
    assert not DownloadJob.objects.exists()
    return response


def test_no_file_is_refused(visitor: Client) -> None:
    assert "Choose at least one file." in text(refused(visitor, {"name": "x"}))


@pytest.mark.parametrize("dirt", NOT_FILES)
def test_what_is_not_a_file_is_refused_and_the_ticks_stay(visitor: Client, dirt: str) -> None:
    file = StoredFileFactory(file_id=80_000)

    response = refused(visitor, {"file": ["80000", dirt], "name": "Mine"})

    assert "is not a file" in text(response)
    assert ticked(response) == {file.file_id}
    assert 'value="Mine"' in text(response)


@pytest.mark.parametrize("name", ["x" * 201, "a\x00b"])
def test_a_bad_name_is_refused_beside_its_field(visitor: Client, name: str) -> None:
    StoredFileFactory(file_id=80_000)

    response = refused(visitor, {"file": "80000", "name": name})

    assert 'id="name-error"' in text(response)
    assert ticked(response) == {80_000}


def test_more_files_than_allowed_are_refused(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.serializers.BundleRequest._declared_fields", small_bundles())

    assert "Choose at most" in text(refused(visitor, {"file": ["80000", "80001", "80002"]}))


def small_bundles() -> dict[str, Any]:
    from jobs.serializers import BundleRequest, FileIdField, serializers

    fields = dict(BundleRequest._declared_fields)
    fields["file_ids"] = serializers.ListField(child=FileIdField(), allow_empty=False, max_length=2)
    return fields


def test_more_fields_than_a_form_may_have_are_a_page_that_says_so(visitor: Client) -> None:
    response = refused(visitor, {"file": [str(80_000 + n) for n in range(1_500)]})

    assert "text/html" in response["Content-Type"]


def test_a_form_without_its_token_is_refused(alice: User) -> None:
    client = Client(enforce_csrf_checks=True, headers=BROWSER)
    client.force_login(alice)

    response = client.post("/downloads", {"file": "80000"})

    assert response.status_code == 403
    assert "Nothing was changed." in text(response)
    assert 'href="/?file=80000">Go back to it' in text(response)
    assert not DownloadJob.objects.exists()


def test_the_token_on_the_button_is_the_one_that_counts(alice: User, broker: Any) -> None:
    client = Client(enforce_csrf_checks=True, headers=BROWSER)
    client.force_login(alice)
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)" data-make', text(client.get("/")))
    assert found

    response = client.post("/downloads", {"file": "80000", "csrfmiddlewaretoken": found[1]})

    assert response.status_code == 303


# My downloads


def test_the_list_is_mine_newest_first_with_what_runs_on_top(
    visitor: Client, alice: User, bob: User
) -> None:
    now = timezone.now()
    for age, (name, status) in enumerate(
        [("new", Status.FAILED), ("running", Status.PROCESSING), ("old", Status.COMPLETED)]
    ):
        job = JobFactory(owner=alice, name=name, status=status)
        DownloadJob.objects.filter(pk=job.pk).update(created_at=now - timedelta(minutes=age))
    JobFactory(owner=bob, name="foreign")

    assert names(visitor.get("/downloads")) == ["running", "new", "old"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"status": "active"}, {"queued", "processing"}),
        ({"status": "completed"}, {"completed"}),
        ({"status": "failed"}, {"failed"}),
        ({"status": "ended"}, {"cancelled", "expired"}),
        ({"kind": "bundle", "search": "FAIL"}, {"failed"}),
        ({"search": "no such name"}, set()),
        ({"status": "nonsense", "kind": "nonsense", "before": "x", "after": "y"}, set(Status)),
    ],
)
def test_the_list_is_filtered(
    visitor: Client, alice: User, asked: dict[str, str], found: set[str]
) -> None:
    for status in Status:
        JobFactory(owner=alice, name=status.value, status=status)

    response = visitor.get("/downloads", asked)

    assert response.status_code == 200
    assert set(names(response)) == found


def test_a_download_is_found_by_the_beginning_of_its_id(visitor: Client, alice: User) -> None:
    JobFactory(owner=alice)
    wanted = JobFactory(owner=alice, name="this one")

    assert names(visitor.get("/downloads", {"search": str(wanted.pk)[:13]})) == ["this one"]


def test_paging_through_the_list_loses_none_and_comes_back(visitor: Client, alice: User) -> None:
    at = timezone.now()
    for n in range(60):
        job = JobFactory(owner=alice, name=f"{n}", status=Status.CANCELLED)
        # Pairs of the same moment, so that the id has to tell them apart.
        DownloadJob.objects.filter(pk=job.pk).update(created_at=at - timedelta(hours=n // 2))

    first = visitor.get("/downloads")
    second = visitor.get("/downloads" + link(first, "Older"))
    third = visitor.get("/downloads" + link(second, "Older"))

    assert len({*names(first), *names(second), *names(third)}) == 60
    assert not link(third, "Older")
    assert names(visitor.get("/downloads" + link(third, "Newer"))) == names(second)
    assert names(visitor.get("/downloads" + link(second, "Newer"))) == names(first)


def link(response: Any, word: str) -> str:
    found = re.search(rf'href="(\?[^"]*)">{word}</a>', text(response))
    return found[1].replace("&amp;", "&") if found else ""


def test_a_page_is_not_found_by_somebody_elses_download(visitor: Client, bob: User) -> None:
    foreign = JobFactory(owner=bob)

    assert visitor.get("/downloads", {"before": str(foreign.pk)}).status_code == 200


def test_all_that_runs_can_be_reached(visitor: Client, alice: User) -> None:
    JobFactory.create_batch(30, owner=alice)

    assert len(names(visitor.get("/downloads"))) == 25
    assert "Show all in progress" in text(visitor.get("/downloads"))
    first = visitor.get("/downloads", {"status": "active"})
    second = visitor.get("/downloads" + link(first, "Older"))
    assert len({*re.findall(r'id="job-([^"]+)"', text(first) + text(second))}) == 30


def test_the_list_costs_the_same_queries_for_one_and_for_many(
    visitor: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    for status in list(Status) * 4:
        JobFactory(owner=alice, status=status)

    with django_assert_max_num_queries(8):  # two of them the pace of the kind, kept for seconds
        visitor.get("/downloads")


def test_the_empty_list_says_where_to_begin(visitor: Client) -> None:
    assert "Nothing here yet" in text(visitor.get("/downloads"))


# One download


@pytest.mark.parametrize("name", ["job-page", "job-state", "job-row"])
def test_somebody_elses_download_is_403_and_an_unknown_one_404(
    visitor: Client, bob: User, name: str
) -> None:
    foreign = visitor.get(of(JobFactory(owner=bob, name="secret"), name))
    unknown = visitor.get(reverse(name, args=[uuid4()]))

    assert (foreign.status_code, unknown.status_code) == (403, 404)
    assert "text/html" in foreign["Content-Type"]
    assert "secret" not in text(foreign)
    assert "Not found" in text(unknown)


@pytest.mark.parametrize("name", ["job-cancel", "job-retry"])
def test_somebody_elses_download_cannot_be_changed(visitor: Client, bob: User, name: str) -> None:
    foreign = JobFactory(owner=bob, status=Status.FAILED if name == "job-retry" else Status.QUEUED)

    response = visitor.post(of(foreign, name))

    assert response.status_code == 403
    assert DownloadJob.objects.get(pk=foreign.pk).status == foreign.status


@pytest.mark.parametrize("name", ["job-cancel", "job-retry"])
def test_a_look_changes_nothing(visitor: Client, alice: User, name: str) -> None:
    job = JobFactory(owner=alice)

    assert visitor.get(of(job, name)).status_code == 405
    assert DownloadJob.objects.get().status == Status.QUEUED


def test_cancel_leads_back_to_the_page(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice)

    response = visitor.post(of(job, "job-cancel"))

    assert (response.status_code, response["Location"]) == (303, of(job))
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
    assert job.events.get().by == Actor.OWNER


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.EXPIRED])
def test_run_again_queues_it_under_the_same_id(
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
def test_too_late_is_said_on_the_page(
    visitor: Client, alice: User, name: str, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)

    response = visitor.post(of(job, name), follow=True)

    assert response.redirect_chain == [(of(job), 303)]
    assert "Nothing was changed" in text(response)
    assert DownloadJob.objects.get(pk=job.pk).version == job.version


@pytest.mark.parametrize("status", list(Status))
def test_only_what_runs_is_polled_and_reloaded(
    visitor: Client, alice: User, status: Status
) -> None:
    job = JobFactory(owner=alice, status=status)
    polled = 0 if status in FINAL else 1

    page, listed = text(visitor.get(of(job))), text(visitor.get("/downloads"))

    for html, name in [(page, "job-state"), (listed, "job-row")]:
        assert html.count(f'hx-get="{of(job, name)}?was=') == polled
        assert html.count('hx-trigger="load delay:1s, every 3s, look"') == polled
        assert html.count('<noscript><meta http-equiv="refresh"') == polled
        assert ('hx-trigger="every 3s, look"' in text(visitor.get(of(job, name)))) == bool(polled)


@pytest.mark.parametrize(
    ("status", "word", "verb"),
    [
        (Status.QUEUED, "Queued", "Cancel"),
        (Status.PROCESSING, "Working", "Cancel"),
        (Status.COMPLETED, "Ready", "Download"),
        (Status.FAILED, "Failed", "Run again"),
        (Status.CANCELLED, "Cancelled", "Run again"),
        (Status.EXPIRED, "Expired", "Make again"),
    ],
)
def test_each_state_has_its_word_and_the_button_that_helps(
    visitor: Client, alice: User, status: Status, word: str, verb: str
) -> None:
    job = JobFactory(owner=alice, status=status)

    for name in ("job-state", "job-row"):
        html = text(visitor.get(of(job, name)))
        assert word in html
        assert verb in html
    assert (of(job, "download") in html) == (status == Status.COMPLETED)


def test_a_job_that_waits_says_for_how_long_and_for_which_attempt(
    visitor: Client, running_job: DownloadJob
) -> None:
    running_job.retry("storage_unavailable", "The file store did not answer.", after_seconds=30)

    html = text(visitor.get(of(running_job))).replace("\u00a0", " ")

    assert re.search('Trying again in <span data-countdown="(30|29)">(30|29) s</span>', html)
    assert "Attempt 2 of 4 is next." in html
    assert "The file store did not answer." in html


def test_a_job_whose_worker_is_silent_says_so(visitor: Client, running_job: DownloadJob) -> None:
    silent = timezone.now() - timedelta(seconds=48)
    DownloadJob.objects.update(lease_until=silent, updated_at=silent)

    html = text(visitor.get(of(running_job))).replace("\u00a0", " ")

    assert "No word from the worker for 48 s" in html
    assert "is-stalled" in html


def test_progress_is_told_in_bytes_and_percent(visitor: Client, running_job: DownloadJob) -> None:
    DownloadJob.objects.update(total=104_900_000)
    running_job.refresh_from_db()
    running_job.beat(done=42_000_000, message="Adding 1 of 2: a.txt")

    html = text(visitor.get(of(running_job, "job-state")))

    assert 'value="40"' in html
    assert "42.0 of 104.9\u00a0MB" in html
    assert "Adding 1 of 2: a.txt" in html
    assert "<title>40% 2 files.zip" in html


def test_a_poll_says_aloud_only_what_changed(visitor: Client, running_job: DownloadJob) -> None:
    for name in ("job-state", "job-row"):
        assert 'id="said"' not in text(visitor.get(of(running_job, name), {"was": "working-1"}))
        assert 'id="said"' in text(visitor.get(of(running_job, name), {"was": "queued-1"}))


@pytest.mark.parametrize("name", ["job-state", "job-row"])
def test_a_poll_that_would_show_the_same_is_spared(
    visitor: Client, running_job: DownloadJob, name: str
) -> None:
    found = re.search(r'hx-get="([^"]+)"', text(visitor.get(of(running_job, name))))
    assert found

    assert visitor.get(found[1]).status_code == 204
    running_job.beat(done=1, message="Adding 2 of 2: b.txt")
    assert "Adding 2 of 2" in text(visitor.get(found[1]))


def test_a_countdown_alone_is_nothing_new(visitor: Client, running_job: DownloadJob) -> None:
    running_job.retry("storage_unavailable", "The file store did not answer.", after_seconds=30)
    found = re.search(r'hx-get="([^"]+)"', text(visitor.get(of(running_job, "job-state"))))
    assert found
    DownloadJob.objects.update(available_at=timezone.now() + timedelta(seconds=20))

    assert visitor.get(found[1]).status_code == 204


def test_history_is_told_in_plain_words_without_tracebacks(
    visitor: Client, running_job: DownloadJob
) -> None:
    running_job.retry("unexpected", "Oh.", after_seconds=0, detail="Traceback: secret")
    running_job.claim(task_id="task-2", worker="worker@secret")
    running_job.rescue(Actor.DISPATCHER)
    running_job.cancel(Actor.OPERATOR)
    running_job.requeue(Actor.OWNER, total=1)

    html = text(visitor.get(of(running_job)))

    told = re.findall(r"<div><p>([^<]*)</p>", html)
    assert told == [
        "Attempt 1 started.",
        "Something went wrong on our side.",
        "Attempt 2 started.",
        "The worker went silent.",
        "An operator cancelled it.",
        "You asked for it again.",
    ]
    assert "secret" not in html


@pytest.mark.parametrize("event", list(Event))
def test_every_event_has_a_sentence(visitor: Client, alice: User, event: Event) -> None:
    job = JobFactory(owner=alice, status=Status.FAILED)
    job._remember(event, Actor.WORKER, code="a code nobody knows")

    assert visitor.get(of(job)).status_code == 200


def test_the_contents_are_the_first_files_with_their_sizes(
    visitor: Client, alice: User, bob: User, django_assert_max_num_queries: Any
) -> None:
    files = StoredFileFactory.create_batch(30, size_bytes=14_200_000)
    StoredFile.objects.filter(pk=files[1].pk).update(owner=bob, name="secret.txt")
    job = JobFactory(owner=alice, params={"file_ids": [file.file_id for file in files]})

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
    """What a shell makes of the commands on the page."""
    found = re.findall(r"<code>(curl.*?)</code>", text(response), re.DOTALL)
    lines = [unescape(command).replace("\\\n", "") for command in found]  # a shell joins them, too
    return [shlex.split(line) for line in lines]


def test_the_commands_do_what_the_page_does(visitor: Client, alice: User) -> None:
    name = 'It\'s "Ours" & <theirs> — ü.zip'
    job = JobFactory(owner=alice, name=name, params={"file_ids": [80_001, 80_000]})

    fetch, ask = commands(visitor.get(of(job)))

    assert fetch[:3] == ["curl", "-fLOJ", f"http://testserver{of(job, 'download')}"]
    assert ask[2] == "http://testserver/v1/download/initiate"
    assert fetch[3:5] == ask[3:5] == ["-H", "Authorization: Bearer $TOKEN"]
    asked = BundleRequest(data=json.loads(ask[-1]))
    assert asked.is_valid()
    assert asked.asked()["params"] == job.params
    assert asked.validated_data["name"] == name


def test_no_command_is_longer_than_one_can_paste(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, params={"file_ids": list(range(80_000, 80_101))})

    assert [command[1] for command in commands(visitor.get(of(job)))] == ["-fLOJ"]


def test_a_zip_with_missing_files_offers_the_others(visitor: Client, alice: User) -> None:
    file = StoredFileFactory(file_id=80_000)
    job = JobFactory(
        owner=alice,
        status=Status.FAILED,
        params={"file_ids": [80_000, 80_001]},
        error_code="source_missing",
        error="These files could not be found: 80001.",
    )

    html = text(visitor.get(of(job)))

    assert f'href="/?file={file.file_id}">Choose without them' in html
    assert "These files could not be found: 80001." in html


def test_names_are_text_not_markup(visitor: Client, alice: User) -> None:
    name = "<script>alert(1)</script>.zip"
    StoredFileFactory(file_id=80_000, name=name)
    job = JobFactory(owner=alice, name=name, params={"file_ids": [80_000]})

    for path in ("/", "/?file=80000&search=x", "/downloads", of(job), of(job, "job-row")):
        assert "<script>alert" not in text(visitor.get(path)), path


# Every page


def test_no_page_has_a_script_or_a_style_of_its_own(visitor: Client, alice: User) -> None:
    StoredFileFactory(file_id=80_000)
    jobs = [JobFactory(owner=alice, status=status) for status in Status]
    paths = ["/", "/?search=x", "/downloads", "/downloads?search=x", "/nowhere", *map(of, jobs)]

    for path in paths:
        assert not INLINE.search(text(visitor.get(path))), path
    assert not INLINE.search(text(Client().get("/sign-in")))


def test_pages_are_kept_by_no_cache(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice)

    for path in ("/", "/downloads", of(job), of(job, "job-state"), "/nowhere"):
        assert visitor.get(path)["Cache-Control"] == PRIVATE, path


@pytest.mark.parametrize(
    ("path", "accept", "content_type"),
    [
        ("/nowhere", BROWSER["Accept"], "text/html; charset=utf-8"),
        ("/nowhere", "*/*", PROBLEM),
        ("/nowhere", "application/json", PROBLEM),
        ("/nowhere", "complete/nonsense;;q=x", PROBLEM),
        ("/v1/nowhere", BROWSER["Accept"], PROBLEM),
    ],
)
def test_errors_are_pages_for_people_and_problems_for_programs(
    path: str, accept: str, content_type: str
) -> None:
    response = Client().get(path, headers={"Accept": accept})

    assert response.status_code == 404
    assert response["Content-Type"] == content_type


Handler = Callable[..., Any]


@pytest.mark.parametrize(
    ("handler", "status"),
    [(http.on_400, 400), (http.on_403, 403), (http.on_404, 404), (http.on_500, 500)],
)
def test_error_pages_need_neither_database_nor_session(handler: Handler, status: int) -> None:
    # No database mark: a query would fail. A bare request: no user, no messages, no session.
    request = RequestFactory().get("/somewhere", headers=BROWSER)

    response = handler(request) if status == 500 else handler(request, Exception("secret"))

    assert response.status_code == status
    assert "<h1>" in text(response)
    assert "secret" not in text(response)


def test_a_bug_in_a_page_is_a_page_without_its_details(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("jobs.pages.choose.submit", bug)
    visitor.raise_request_exception = False

    response = visitor.post("/downloads", {"file": "80000"})

    assert response.status_code == 500
    assert "Something went wrong on our side." in text(response)
    assert "secret" not in text(response)


# Colours


def test_the_colours_chosen_are_kept_and_the_page_stays(visitor: Client) -> None:
    page = "http://testserver/downloads?status=failed"

    response = visitor.post("/theme", {"theme": "dark"}, headers={"Referer": page})

    assert (response.status_code, response["Location"]) == (303, page)
    assert '<html lang="en" data-theme="dark">' in text(visitor.get("/"))
    visitor.post("/theme", {"theme": "auto"})
    assert '<html lang="en">' in text(visitor.get("/"))


@pytest.mark.parametrize("theme", ["", "neon", '"><script>'])
def test_other_colours_are_none(visitor: Client, theme: str) -> None:
    other = "https://evil.example/"

    response = visitor.post("/theme", {"theme": theme}, headers={"Referer": other})

    assert response["Location"] == "/downloads"
    assert not response.cookies
    visitor.cookies["theme"] = theme
    assert '<html lang="en">' in text(visitor.get("/"))
