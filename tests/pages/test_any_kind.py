"""A kind with only a name, a label, `load` and `build` works on pages and in e-mails."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.kinds.base import Kind
from jobs.kinds.page_parts import Card
from jobs.kinds.registry import KINDS
from jobs.models import DownloadJob, Notification
from jobs.models.notification import notification_outcome
from jobs.notifications.letters import letter_of
from jobs.states import Status
from jobs.workspace import Workspace
from tests.factories import JobFactory
from tests.pages.looks import INLINE, names, of, text


class OrderExport(Kind):
    name = "order-export"
    label = "Orders as CSV"

    def load(self, job: DownloadJob) -> list[int]:
        return [1, 2, 3]

    def build(self, loaded: list[int], work: Workspace) -> None:
        work.output.write(b"1\n2\n3\n")


@pytest.fixture(autouse=True)
def kind(add_kinds: Any) -> Kind:
    add_kinds(f"{__name__}.OrderExport")
    return KINDS["order-export"]


def export(owner: User, **given: Any) -> DownloadJob:
    return JobFactory(
        owner=owner, kind="order-export", name="Orders.csv", params={"year": 2025}, **given
    )


@pytest.mark.parametrize("status", list(Status))
def test_it_has_a_page_and_a_row(visitor: Client, alice: User, status: Status) -> None:
    job = export(alice, status=status)

    page, row = visitor.get(of(job)), visitor.get(of(job, "job-row"))

    assert (page.status_code, row.status_code) == (200, 200)
    assert "<p>Orders as CSV, requested <time" in text(page)
    assert "<dt>year</dt><dd>2025</dd>" in text(page)
    assert not INLINE.search(text(page))
    assert "/v1/jobs/order-export" in text(page)  # the command that repeats the request


def test_its_page_shows_its_creation_time(visitor: Client, alice: User) -> None:
    job = export(alice, status=Status.COMPLETED)

    assert "created in 5" in text(visitor.get(of(job)))
    assert "Previews" not in text(visitor.get(of(job)))


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("build_failed", "We stopped retrying. Retry later; if it fails again, ask an operator."),
        ("storage_full", "We won't retry automatically. Retry when some of your files"),
    ],
)
def test_its_failure_gives_advice(visitor: Client, alice: User, code: str, advice: str) -> None:
    job = export(alice)
    job.claim(task_id="task-1", worker="worker@test")
    job.fail(code, "The reason.")

    page = text(visitor.get(of(job)))

    assert "The reason." in page
    assert advice in page.replace("&#x27;", "'")


def test_the_list_can_be_filtered_by_it(visitor: Client, alice: User) -> None:
    export(alice, status=Status.COMPLETED)
    JobFactory(owner=alice)

    page = visitor.get("/downloads?kind=order-export")

    assert names(page) == ["Orders.csv"]
    assert '<option value="order-export" selected>Orders as CSV</option>' in text(page)


@pytest.mark.parametrize(
    ("status", "subject"),
    [
        (Status.COMPLETED, "Orders.csv is ready"),
        (Status.FAILED, "Orders.csv could not be created"),
        (Status.CANCELLED, "Orders.csv was cancelled"),
    ],
)
def test_its_owner_gets_a_mail(alice: User, status: Status, subject: str) -> None:
    job = export(alice, status=status, error_code="timeout", error="It took too long.")
    mail = letter_of(Notification(owner=alice, channel="email", content=notification_outcome(job)))

    assert mail.subject == subject
    assert ("It took too long." in mail.text) == (status == Status.FAILED)


def test_it_is_on_the_start_page(visitor: Client, kind: Kind) -> None:
    assert "<b>Orders as CSV</b>" in text(visitor.get("/"))
    assert kind.card == Card("file", "Orders as CSV", "", "Orders as CSV")


def test_it_is_not_on_the_start_page_without_a_form(
    visitor: Client, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "has_form", False)

    assert "Orders as CSV" not in text(visitor.get("/"))


def test_a_form_of_its_own_replaces_the_generated_one(
    visitor: Client, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "form_url_name", "settings")

    assert re.search('<a href="/settings"><svg.*?</svg><b>Orders', text(visitor.get("/")))
    assert '<a class="button" href="/settings">Orders as CSV</a>' in text(visitor.get("/downloads"))


@pytest.mark.django_db
def test_a_form_of_any_kind_is_filled_in_again_after_signing_in(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "form_url_name", "theme")

    assert Client().post("/theme", {"a": "b"})["Location"] == "/sign-in?next=/theme%3Fa%3Db"

    monkeypatch.setattr(kind, "form_is_private", True)

    assert Client().post("/theme", {"a": "b"})["Location"] == "/sign-in?next=/theme"
