"""`jobs.testing`: what a team tests its kind with, in memory and on the real servers."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from rest_framework.exceptions import ValidationError

from jobs.errors import EmptyResult, Interrupted
from jobs.kinds import Kind, Workspace
from jobs.kinds.bundle.kind import FilesBundle
from jobs.kinds.registry import KINDS
from jobs.lib.digest import Digest
from jobs.states import Status
from jobs.testing import MemoryFile, run, run_job
from tests.factories import StoredFileFactory
from tests.kinds import NoOrders, OrderExport

CSV = b"0,2025\n1,2025\n2,2025\n"
ANA = User(username="ana")  # not saved: no server is needed


class Builder(Kind):
    """Builds with a function of the test's own."""

    name, label, content_type = "builder", "Built", "text/plain"
    roles = {"preview": "Preview"}

    def load(self, job: Any) -> None:
        return None


def kind_of(build: Any) -> type[Kind]:
    return type("Built", (Builder,), {"build": lambda self, loaded, work: build(work)})


def test_result_has_the_file_and_what_was_reported() -> None:
    result = run(OrderExport, owner=ANA, year=2025)

    assert (result.content, result.sha256) == (CSV, hashlib.sha256(CSV).hexdigest())
    assert (result.name, result.content_type) == ("Orders of 2025.csv", "text/csv")
    assert result.progress == ((1, 3, "orders"), (2, 3, "orders"), (3, 3, "orders"))
    assert (result.messages, result.metadata) == (("Writing the orders",), {"orders": 3})
    assert result.files == {}


@pytest.mark.parametrize("fields", [{"year": 1999}, {"year": 2025, "month": 1}, {}])
def test_invalid_params_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        run(OrderExport, owner=ANA, **fields)


def test_owner_can_name_the_file() -> None:
    def build(work: Workspace) -> None:
        work.output.write(b"x")

    assert run(kind_of(build), owner=ANA, name="../mine.txt").name == "mine.txt"


def test_it_raises_what_the_builder_raised() -> None:
    with pytest.raises(NoOrders, match="no orders of 2001"):
        run(OrderExport, owner=ANA, year=2001)


@pytest.mark.parametrize("call", range(1, 11))
def test_it_can_be_cancelled_at_any_call(call: int) -> None:
    with pytest.raises(Interrupted, match="the job was cancelled"):
        run(OrderExport, owner=ANA, year=2025, cancel_after=call)


def test_it_is_not_cancelled_at_a_call_that_never_comes() -> None:
    assert run(OrderExport, owner=ANA, year=2025, cancel_after=11).content == CSV


def test_name_and_type_come_before_the_first_byte() -> None:
    def build(work: Workspace) -> None:
        work.output.write(b"x")
        work.describe(name="late.txt")

    with pytest.raises(RuntimeError, match="Call describe before the first write"):
        run(kind_of(build), owner=ANA)


def test_builder_that_touches_no_output_makes_no_file() -> None:
    with pytest.raises(EmptyResult):
        run(kind_of(lambda work: None), owner=ANA)

    assert run(kind_of(lambda work: work.output), owner=ANA).content == b""


def test_noted_facts_are_json() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        run(kind_of(lambda work: work.note(user=ANA)), owner=ANA)


def test_scratch_folder_is_removed() -> None:
    folders = []

    def build(work: Workspace) -> None:
        folders.append(work.scratch)
        (work.scratch / "a").write_bytes(b"a")
        work.attach("preview", work.scratch / "a", content_type="text/plain")
        work.output.write(b"x")

    result = run(kind_of(build), owner=ANA)

    assert result.files == {"preview": MemoryFile(b"a", "Built preview", "text/plain")}
    assert not folders[0].exists()


@pytest.mark.parametrize("sent", [["a" * 5_242_880, "b"], ["a" * 5_242_880]])
def test_parts_are_complete_or_refused(sent: list[str]) -> None:
    def build(work: Workspace) -> None:
        parts = work.parts(5_242_881, "v1")
        for number, part in enumerate(sent):
            parts.put(number, part.encode())
        parts.finish(None)  # type: ignore[arg-type]

    if len(sent) == 1:
        with pytest.raises(ValueError, match="Parts were not stored"):
            run(kind_of(build), owner=ANA)
    else:
        assert run(kind_of(build), owner=ANA).content == "".join(sent).encode()


def test_uploaded_file_can_be_kept() -> None:
    def build(work: Workspace) -> None:
        digest = Digest()
        for chunk in work.received():
            digest.update(chunk)
        work.keep(digest, content_type="image/png")

    result = run(kind_of(build), owner=ANA, uploaded=b"\x89PNG")

    assert (result.content, result.content_type) == (b"\x89PNG", "image/png")


@pytest.mark.django_db
def test_sources_of_a_bundle_are_given_by_key(alice: User) -> None:
    file = StoredFileFactory(file_id=70000, name="hello.txt")

    result = run(FilesBundle, owner=alice, file_ids=[70000], sources={file.key: b"hello"})

    assert ZipFile(BytesIO(result.content)).read("hello.txt") == b"hello"
    assert result.progress[-1][0] == 5


# On the real servers


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, broker: Any) -> None:
    monkeypatch.setitem(KINDS, OrderExport.name, OrderExport())


@pytest.mark.django_db(transaction=True)
def test_job_is_submitted_run_and_stored(registered: None, alice: User) -> None:
    done = run_job(OrderExport, owner=alice, year=2025)

    assert (done.content, done.files) == (CSV, {})
    assert (done.job.status, done.job.params) == (Status.COMPLETED, {"year": 2025})
    assert (done.job.name, done.job.metadata) == ("Orders of 2025.csv", {"orders": 3})


@pytest.mark.django_db(transaction=True)
def test_failed_job_has_no_content(registered: None, alice: User) -> None:
    done = run_job(OrderExport, owner=alice, year=2001)

    assert (done.content, done.job.status, done.job.error_code) == (b"", "failed", "no_orders")
    assert done.job.error == "There are no orders of 2001."


@pytest.mark.django_db(transaction=True)
def test_job_of_an_unknown_kind_is_refused(alice: User) -> None:
    with pytest.raises(LookupError, match="OrderExport is not in the setting KINDS"):
        run_job(OrderExport, owner=alice, year=2025)


def test_job_needs_a_test_without_a_transaction(registered: None, alice: User) -> None:
    with pytest.raises(RuntimeError, match="transaction=True"):
        run_job(OrderExport, owner=alice, year=2025)
