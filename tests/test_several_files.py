"""`work.add_file`: a job has files beside its main one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client

from jobs.engine import expiry, garbage, runner
from jobs.errors import BuildError, NoRoom, StorageUnavailable
from jobs.kinds import Workspace
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, StoredFile, Usage
from jobs.states import Status
from jobs.testing import MemoryFile, run, run_job
from tests.asgi.both import ask_django, bearer, serving
from tests.links import left_behind
from tests.pages.looks import BROWSER, of, text
from tests.special_kinds import Ledger, Recount

pytestmark = pytest.mark.django_db(transaction=True)

FILES = {
    "left-out": MemoryFile(b"3\n", "left out.csv", "text/csv"),
    "summary": MemoryFile(b'{"rows": 2}', "Ledger summary.json", "application/json"),
}


@pytest.fixture(autouse=True)
def registered(add_kinds: Callable[..., None], broker: Any) -> None:
    add_kinds(f"{Ledger.__module__}.Ledger")


@pytest.fixture
def attempt(alice: User, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that runs a Ledger with the given builder."""

    def run_with(build: Callable[[Workspace], None], kind: type[Ledger] = Ledger) -> Any:
        made = type("Built", (kind,), {"build": lambda self, loaded, work: build(work)})
        monkeypatch.setitem(KINDS, kind.name, made())
        return run_job(made, owner=alice)

    return run_with


def test_files_are_the_same_in_memory_and_on_the_servers(alice: User) -> None:
    done = run_job(Ledger, owner=alice)
    result = run(Ledger, owner=alice)

    assert (done.content, done.files) == (b"1\n2\n", FILES)
    assert (result.content, result.files) == (b"1\n2\n", FILES)
    expiries = [file.expires_at - done.job.expires_at for file in done.job.files.all()]
    assert len(expiries) == 3
    assert all(abs(each) < timedelta(seconds=5) for each in expiries)


def test_json_has_each_file_by_its_role(alice: User) -> None:
    job = run_job(Ledger, owner=alice).job
    path, headers = f"/v1/download/status/{job.pk}", {"authorization": bearer(alice)}

    with serving() as native:
        answers = native.request(path, **headers), ask_django(path, **headers)

    for answer in answers:
        files = answer.json["processedFiles"]
        assert {role: file["fileName"] for role, file in files.items()} == {
            "left-out": "left out.csv",
            "summary": "Ledger summary.json",
        }
        assert files["left-out"]["size"] == 2
        assert f"results/{job.pk}/1/left-out/left%20out.csv" in files["left-out"]["downloadUrl"]


def test_page_has_a_link_to_each_file(alice: User) -> None:
    job = run_job(Ledger, owner=alice).job
    visitor = Client(headers=BROWSER)
    visitor.force_login(alice)

    page = text(visitor.get(of(job)))

    assert ">More files</h2>" in page
    assert page.index("<p>Summary</p>") < page.index("<p>Rows left out</p>")
    assert f'href="/downloads/{job.pk}/files/left-out"' in page
    assert ">2\xa0B</span>" in page
    link = visitor.get(f"/downloads/{job.pk}/files/left-out")
    assert (link.status_code, "left-out/left%20out.csv" in link["Location"]) == (302, True)


def test_files_count_in_the_quota_and_are_deleted_with_the_job(alice: User) -> None:
    job = run_job(Ledger, owner=alice).job
    assert Usage.objects.get(owner=alice).stored_bytes == 4 + 2 + 11

    DownloadJob.objects.filter(pk=job.pk).update(expires_at=job.created_at)
    expiry.expire_artifacts()
    garbage.collect_garbage()

    assert not StoredFile.objects.filter(made_by=job).exists()
    assert left_behind(job) == []
    assert Usage.objects.get(owner=alice).stored_bytes == 0


@pytest.mark.parametrize("role", ["summary", "other"])
def test_role_is_one_of_the_kind_and_has_one_file(attempt: Callable[..., Any], role: str) -> None:
    def build(work: Workspace) -> None:
        for each in ("summary", role):
            with work.add_file(each, content_type="text/plain") as output:
                output.write(b"x")

    done = attempt(build)

    reason = "There already is a file" if role == "summary" else "The kind has no role 'other'"
    assert (done.job.status, done.job.error_code) == (Status.QUEUED, "unexpected")
    assert reason in done.job.events.latest("id").detail
    assert left_behind(done.job) == []
    with pytest.raises(ValueError, match=reason):
        run(type(KINDS["ledger"]), owner=done.job.owner)


@pytest.mark.parametrize("error", [BuildError("No."), StorageUnavailable("Away.")])
@pytest.mark.parametrize("inside", [True, False])
def test_failed_attempt_leaves_none_of_them(
    attempt: Callable[..., Any], error: BuildError, inside: bool
) -> None:
    def build(work: Workspace) -> None:
        with work.add_file("left-out", content_type="text/plain") as output:
            output.write(b"whole")
        with work.add_file("summary", content_type="text/plain") as output:
            output.write(bytes(9 * 2**20))
            if inside:
                raise error
        raise error

    done = attempt(build)

    assert done.job.error_code == error.code
    assert not done.job.files.exists()
    assert left_behind(done.job) == []


def test_files_together_must_fit_into_the_quota(attempt: Callable[..., Any], settings: Any) -> None:
    settings.OWNER_STORAGE_BYTES = 1_500

    def build(work: Workspace) -> None:
        work.output.write(bytes(1_000))
        with work.add_file("summary", content_type="text/plain") as output:
            output.write(bytes(1_000))

    done = attempt(build)

    assert (done.job.status, done.job.error_code) == (Status.FAILED, NoRoom.code)
    assert left_behind(done.job) == []


def test_added_file_that_never_ends_is_stopped(
    attempt: Callable[..., Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OWNER_STORAGE_BYTES = 20_000_000
    monkeypatch.setattr("jobs.engine.bounded_output.CHECK_EVERY_BYTES", 1_000_000)

    def build(work: Workspace) -> None:
        with work.add_file("summary", content_type="text/plain") as output:
            while True:
                output.write(bytes(500_000))

    done = attempt(build)

    assert (done.job.status, done.job.error_code) == (Status.FAILED, NoRoom.code)
    assert left_behind(done.job) == []


def test_retry_makes_them_again(attempt: Callable[..., Any], alice: User) -> None:
    attempts: list[int] = []

    def build(work: Workspace) -> None:
        attempts.append(1)
        Ledger().build(None, work)
        if len(attempts) == 1:
            raise StorageUnavailable("Away.")

    job = attempt(build).job
    DownloadJob.objects.filter(pk=job.pk).update(available_at=Now())
    runner.run_job(job.pk, task_id="task-2", worker="test")

    job.refresh_from_db()
    assert (job.status, job.attempt) == (Status.COMPLETED, 2)
    assert sorted(left_behind(job)) == sorted(file.key for file in job.files.all())


class WorkWithFiles(Recount):
    name = "ledger"
    roles = Ledger.roles


def test_work_without_an_artifact_may_make_files(attempt: Callable[..., Any]) -> None:
    def build(work: Workspace) -> None:
        with work.add_file("summary", name="s.txt", content_type="text/plain") as output:
            output.write(b"x")

    done = attempt(build, WorkWithFiles)

    assert (done.job.status, done.job.artifact) == (Status.COMPLETED, None)
    assert done.job.expires_at is not None
    assert done.files == {"summary": MemoryFile(b"x", "s.txt", "text/plain")}
    DownloadJob.objects.filter(pk=done.job.pk).update(expires_at=done.job.created_at)
    assert expiry.expire_artifacts() == 1
    garbage.collect_garbage()
    assert left_behind(done.job) == []
