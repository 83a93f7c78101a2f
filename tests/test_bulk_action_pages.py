"""The pages of bulk actions in the admin: asking first, progress, reports, and permissions."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from jobs.engine.bulk_actions import advance_bulk_action
from jobs.models import BulkAction, DownloadJob
from jobs.models import newest as newest_module
from jobs.operations.admin import job_actions
from jobs.states import Actor, Status
from tests.factories import JobFactory, UserFactory, staff_who_may

LIST = "/admin/jobs/downloadjob/"
BULK = "/admin/jobs/bulkaction/"
ACTIONS = ["retry", "cancel", "change_priority", "delete"]


@pytest.fixture
def desk(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave every action to the dispatcher."""
    monkeypatch.setattr(job_actions, "FEW", 0)


def ask(desk: Client, action: str, query: str = "", *jobs: DownloadJob) -> Any:
    """Choose an action for these jobs, or for all that match the query."""
    chosen = {"action": f"{action}_selected", "_selected_action": [str(job.pk) for job in jobs]}
    if not jobs:  # the list sends those of its page, too
        chosen |= {"select_across": "1", "_selected_action": [str(uuid4())]}
    return desk.post(LIST + query, chosen)


def confirm(desk: Client, page: Any, **fields: Any) -> Any:
    sent = {name: page.wsgi_request.POST.getlist(name) for name in page.wsgi_request.POST}
    form = page.context["form"].initial | fields
    return desk.post(page.wsgi_request.get_full_path(), sent | form, follow=True)


def text_of(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_the_count_is_shown_before_anything_is_done(desk: Client, alice: User) -> None:
    for status in (Status.QUEUED, Status.QUEUED, Status.PROCESSING, Status.COMPLETED):
        JobFactory(owner=alice, status=status)

    page = ask(desk, "cancel")

    preview = page.context["preview"]
    assert (preview.total, preview.possible, preview.skipped) == (4, 3, 1)
    parts = [(part.label, part.jobs, part.is_skipped) for part in preview.parts]
    assert parts == [("Queued", 2, False), ("Processing", 1, False), ("Completed", 1, True)]
    assert "No filter is set: this is for all of them." in text_of(page)
    assert "Cancel: 3 downloads" in text_of(page)
    assert not BulkAction.objects.exists()
    assert DownloadJob.objects.filter(status=Status.QUEUED).count() == 2


def test_files_with_a_virus_are_counted_as_skipped(desk: Client, alice: User) -> None:
    JobFactory(owner=alice, status=Status.FAILED)
    JobFactory(owner=alice, status=Status.FAILED, error_code="infected")

    page = ask(desk, "retry")

    assert page.context["preview"].possible == 1
    assert "Failed: a virus was found in the file" in text_of(page)


def test_all_that_match_are_done_behind_and_the_page_shows_progress(
    desk: Client, alice: User, behind: None
) -> None:
    for _ in range(3):
        JobFactory(owner=alice)
    other = JobFactory(owner=UserFactory(username="other"))

    page = confirm(desk, ask(desk, "cancel", "?owner=alice"))

    bulk = BulkAction.objects.get()
    assert page.redirect_chain[-1][0] == f"{BULK}{bulk.pk}/change/"
    assert "0 of 3" in text_of(page)
    assert 'hx-trigger="every 2s"' in text_of(page)
    assert "owner: alice" in text_of(page)
    advance_bulk_action()
    report = text_of(desk.get(f"{BULK}{bulk.pk}/change/"))
    assert "Completed on" in report
    assert "hx-trigger" not in report
    other.refresh_from_db()
    assert other.status == Status.QUEUED


def test_an_action_is_on_older_jobs_than_the_list_searches(
    desk: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest_module, "SEARCHED", 2)
    for n in range(5):
        JobFactory(owner=alice, name=f"wanted-{n}.zip", error_code="timeout")

    for query in ("?kind=bundle", "?error_code=timeout", "?q=wanted"):
        assert ask(desk, "cancel", query).context["preview"].total == 5, query


def test_jobs_that_come_after_the_question_are_left_alone(desk: Client, alice: User) -> None:
    JobFactory(owner=alice)
    page = ask(desk, "cancel")
    late = JobFactory(owner=alice)

    confirm(desk, page)

    late.refresh_from_db()
    assert late.status == Status.QUEUED
    assert BulkAction.objects.get().done == 1


def test_a_priority_is_asked_for_and_checked(desk: Client, alice: User, broker: Mock) -> None:
    job = JobFactory(owner=alice)
    page = ask(desk, "change_priority", "", job)

    refused = confirm(desk, page, priority="10")
    assert "Select a valid choice" in text_of(refused)
    assert not BulkAction.objects.exists()
    done = confirm(desk, page, priority="9")

    assert "Change priority to 9: 1 download" in text_of(done)
    job.refresh_from_db()
    assert job.priority == 9


def test_a_report_links_to_skipped_jobs(desk: Client, alice: User) -> None:
    job = JobFactory(owner=alice, name="moved.zip")
    page = ask(desk, "cancel", "", job)
    job.cancel(Actor.OWNER)

    report = text_of(confirm(desk, page))

    assert "It was cancelled" in report
    assert f'<a href="{LIST}{job.pk}/change/">moved.zip</a>' in report


def test_a_running_action_can_be_stopped(
    desk: Client, alice: User, operator: User, behind: None
) -> None:
    JobFactory(owner=alice)
    confirm(desk, ask(desk, "cancel"))
    bulk = BulkAction.objects.get()

    page = desk.post(f"{BULK}{bulk.pk}/stop", follow=True)

    assert "Stopped on" in text_of(page)
    assert advance_bulk_action() == 0
    assert DownloadJob.objects.get().status == Status.QUEUED
    again = desk.post(f"{BULK}{bulk.pk}/stop", follow=True)
    assert "It has ended already." in text_of(again)
    log = LogEntry.objects.filter(object_id=str(bulk.pk)).order_by("pk")
    assert list(log.values_list("user", "change_message")) == [
        (operator.pk, "Started."),
        (operator.pk, "Stopped."),
    ]


def test_bulk_actions_are_listed_and_in_the_menu(desk: Client, alice: User) -> None:
    JobFactory(owner=alice)
    confirm(desk, ask(desk, "cancel"))

    listed = text_of(desk.get(BULK))

    assert "Cancel: 1 download" in listed
    assert "100%" in listed
    assert BULK in text_of(desk.get("/admin/"))
    assert desk.get(f"{BULK}add/").status_code == 403


def test_the_timeline_names_the_operator(desk: Client, alice: User) -> None:
    job = JobFactory(owner=alice)

    confirm(desk, ask(desk, "cancel", "", job))

    lines = desk.get(f"{LIST}{job.pk}/change/").context["timeline"].lines
    assert [(line.text, line.by) for line in lines] == [
        ("Cancel, attempt 0", "olga"),
        ("Cancelled.", "olga"),
    ]


def test_one_job_has_buttons_for_its_priority_and_for_deleting(desk: Client, alice: User) -> None:
    queued, failed = JobFactory(owner=alice), JobFactory(owner=alice, status=Status.FAILED)

    pages = [text_of(desk.get(f"{LIST}{job.pk}/change/")) for job in (queued, failed)]

    assert ["change_priority_selected" in page for page in pages] == [True, False]
    assert ["delete_selected" in page for page in pages] == [False, True]
    assert "Deleted 1" in text_of(confirm(desk, ask(desk, "delete", "", failed))).replace(
        "</dt><dd>", " "
    )
    assert not DownloadJob.objects.filter(pk=failed.pk).exists()


@pytest.mark.parametrize(
    ("codename", "allowed"),
    [
        ("view_downloadjob", []),
        ("retry_downloadjob", ["retry"]),
        ("cancel_downloadjob", ["cancel"]),
        ("change_priority_downloadjob", ["change_priority"]),
        ("delete_downloadjob", ["delete"]),
        ("change_downloadjob", ["retry", "cancel", "change_priority"]),
    ],
)
def test_each_action_needs_its_permission(
    client: Client, alice: User, behind: None, operator: User, codename: str, allowed: list[str]
) -> None:
    JobFactory(owner=alice)
    JobFactory(owner=alice, status=Status.FAILED)
    staff = staff_who_may("view_downloadjob")
    staff.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(staff)

    listed = text_of(client.get(LIST))
    asked = [action for action in ACTIONS if "preview" in (ask(client, action).context or {})]
    stopped = []
    for action in ACTIONS:
        bulk = BulkAction.objects.create(action=action, operator=operator)
        assert client.get(f"{BULK}{bulk.pk}/change/").status_code == 200
        if client.post(f"{BULK}{bulk.pk}/stop").status_code == 302:
            stopped.append(action)

    assert [action for action in ACTIONS if f'value="{action}_selected"' in listed] == allowed
    assert asked == allowed
    assert stopped == allowed


def test_bulk_actions_are_hidden_from_staff_who_may_not_see_jobs(
    client: Client, operator: User
) -> None:
    bulk = BulkAction.objects.create(action="cancel")
    client.force_login(staff_who_may("view_storedfile"))

    assert client.get(BULK).status_code == 403
    assert client.get(f"{BULK}{bulk.pk}/change/").status_code == 403


@pytest.mark.parametrize("broken", [{"bulk_action": "x"}, {"previewed_at": "never"}])
def test_a_broken_confirmation_asks_again(
    desk: Client, alice: User, broken: dict[str, str]
) -> None:
    JobFactory(owner=alice)

    page = confirm(desk, ask(desk, "cancel"), **broken)

    assert page.context["preview"].total == 1
    assert not BulkAction.objects.exists()
