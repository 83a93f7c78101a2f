"""Queue limits in the admin: the list, the form, pauses, and who may change them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from unittest.mock import Mock, patch

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import DownloadJob, Preferences, QueueLimit
from jobs.models.lane import make_ready
from jobs.states import Status
from tests.factories import JobFactory, staff_who_may

LIST = "/admin/jobs/queuelimit/"


@pytest.fixture
def desk(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def rows(desk: Client) -> list[list[str]]:
    page = desk.get(LIST)
    assert page.status_code == 200
    body = page.content.decode().split("<tbody>")[1].split("</tbody>")[0]
    lines = [re.sub(r"<[^>]*>", "|", line) for line in body.split("</tr>")[:-1]]
    return [[text.strip() for text in unescape(line).split("|") if text.strip()] for line in lines]


def add(desk: Client, **fields: Any) -> list[str]:
    """Submit the form of a new limit. Return its errors."""
    page = desk.post(f"{LIST}add/", fields)
    if page.status_code == 302:
        return []
    form = page.context["adminform"].form
    return [error for errors in form.errors.values() for error in errors]


def act(desk: Client, action: str, *limits: QueueLimit) -> list[str]:
    chosen = {"action": action, "_selected_action": [limit.pk for limit in limits]}
    page = desk.post(LIST, chosen, follow=True)
    return [str(message) for message in page.context["messages"]]


def log_lines() -> list[str]:
    entries = LogEntry.objects.filter(content_type__model="queuelimit").order_by("pk")
    return [f"{entry.object_repr}: {entry.get_change_message()}" for entry in entries]


def ready(owner: User, count: int = 1, **fields: Any) -> list[DownloadJob]:
    jobs = JobFactory.create_batch(count, owner=owner, **fields)
    make_ready(job.pk for job in jobs)
    return jobs


def test_the_list_has_what_runs_and_waits(desk: Client, operator: User, alice: User) -> None:
    JobFactory.create_batch(2, owner=alice, status=Status.PROCESSING)
    ready(alice, 3)
    QueueLimit.objects.create(scope="owner", max_running=2)
    QueueLimit.objects.create(
        scope="kind", name="bundle", is_paused=True, reason="<b>Moving</b>", changed_by=operator
    )

    paused, each = rows(desk)

    assert paused[:5] == ["Kind bundle", "Paused", "2", "3", "<b>Moving</b>"]
    assert paused[-1] == str(operator)
    assert each[:4] == ["Each owner", "At its limit", "2 of 2", "3"]
    assert each[-1] == "a command"


def test_the_numbers_of_a_row_link_to_its_jobs(desk: Client, alice: User) -> None:
    ready(alice, 2)
    ready(alice, kind="report")
    QueueLimit.objects.create(scope="kind", name="bundle", is_paused=True)
    QueueLimit.objects.create(scope="owner", owner=alice, is_paused=True)

    page = desk.get(LIST).content.decode()

    links = re.findall(r'field-waiting"><a href="([^"]*)">(\d+)', page)
    counted = [len(desk.get(unescape(url)).context["cl"].result_list) for url, _ in links]
    assert counted == [int(number) for _, number in links] == [2, 3]


def test_the_list_takes_as_many_queries_for_more_rows(
    desk: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        QueueLimit.objects.create(scope="key", name=f"host-{number}", max_running=1)

    with django_assert_max_num_queries(12):
        assert len(rows(desk)) == 30


def test_the_list_is_filtered_by_scope(desk: Client, alice: User) -> None:
    QueueLimit.objects.create(scope="service", max_running=1)
    QueueLimit.objects.create(scope="owner", owner=alice, max_running=1)

    shown = desk.get(LIST, {"scope": "owner"}).context["cl"].result_list

    assert [str(limit) for limit in shown] == ["Owner alice"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"scope": "service", "max_running": 4}, "Whole service"),
        ({"scope": "kind", "kind": "bundle", "is_paused": "on"}, "Kind bundle"),
        ({"scope": "owner", "username": "alice", "max_running": 1}, "Owner alice"),
        ({"scope": "owner", "max_running": 1}, "Each owner"),
        ({"scope": "key", "key": "example.org", "max_running": 1}, "Key example.org"),
        ({"scope": "key", "max_running": 1}, "Each key"),
        # What was entered for another scope, and is hidden now, does not count.
        (
            {"scope": "service", "kind": "bundle", "username": "?", "max_running": 1},
            "Whole service",
        ),
    ],
)
def test_a_limit_is_added(
    desk: Client, operator: User, alice: User, fields: dict[str, Any], text: str
) -> None:
    assert add(desk, **fields, reason="Why") == []

    limit = QueueLimit.objects.get()
    assert str(limit) == text
    assert (limit.reason, limit.changed_by) == ("Why", operator)
    assert log_lines() == [f"{text}: Added."]


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"scope": "kind", "max_running": 1}, ["Choose a kind."]),
        (
            {"scope": "kind", "kind": "bundel", "max_running": 1},
            ["Select a valid choice. bundel is not one of the available choices."],
        ),
        (
            {"scope": "owner", "username": "alicia", "max_running": 1},
            ["There is no user “alicia”."],
        ),
        ({"scope": "service"}, ["Enter how many may run at once, or pause it."]),
        (
            {"scope": "service", "max_running": 0},
            ["Ensure this value is greater than or equal to 1."],
        ),
        (
            {"scope": "owner", "is_paused": "on"},
            ["Choose what to pause, or the whole service."],
        ),
        (
            {"scope": "kind", "kind": "report", "max_running": 1},
            ["There is a row for this already."],
        ),
        ({"scope": "", "max_running": 1}, ["This field is required."]),
    ],
)
def test_mistakes_are_explained(
    desk: Client, alice: User, fields: dict[str, Any], errors: list[str]
) -> None:
    QueueLimit.objects.create(scope="kind", name="report", max_running=1)

    assert add(desk, **fields) == errors
    assert QueueLimit.objects.count() == 1


def test_a_limit_changes_and_what_it_is_about_does_not(desk: Client, alice: User) -> None:
    limit = QueueLimit.objects.create(scope="owner", owner=alice, max_running=1)
    url = f"{LIST}{limit.pk}/change/"

    page = desk.get(url).content.decode()
    desk.post(url, {"max_running": 3, "scope": "service", "reason": "More"})

    limit.refresh_from_db()
    assert "Owner alice" in page
    assert (str(limit), limit.max_running, limit.reason) == ("Owner alice", 3, "More")


def test_each_cannot_be_paused_later_either(desk: Client) -> None:
    limit = QueueLimit.objects.create(scope="owner", max_running=1)

    page = desk.post(f"{LIST}{limit.pk}/change/", {"max_running": 1, "is_paused": "on"})

    assert "Choose what to pause, or the whole service." in page.content.decode()


def test_pause_and_resume_selected(desk: Client, operator: User, alice: User) -> None:
    owner = QueueLimit.objects.create(scope="owner", owner=alice, max_running=2)
    each = QueueLimit.objects.create(scope="owner", max_running=1)

    said = act(desk, "pause_selected", owner, each)
    owner.refresh_from_db()
    assert (owner.is_paused, owner.changed_by) == (True, operator)
    assert said[0] == "Paused: Owner alice."
    assert said[1].startswith("Each owner: add a row for one")

    assert act(desk, "pause_selected", owner) == ["Nothing to do: paused already."]
    assert act(desk, "resume_selected", owner, each) == ["Resumed: Owner alice."]
    owner.refresh_from_db()
    assert (owner.is_paused, owner.max_running) == (False, 2)
    assert log_lines() == ["Owner alice: Paused.", "Owner alice: Resumed."]


@pytest.mark.django_db(transaction=True)
def test_jobs_that_may_start_get_doorbells(desk: Client, alice: User) -> None:
    JobFactory(owner=alice, status=Status.PROCESSING)
    (job,) = ready(alice)
    limit = QueueLimit.objects.create(scope="owner", owner=alice, max_running=1)

    def rung(change: Any) -> list[Any]:
        with patch("jobs.engine.pauses.send_doorbells", Mock()) as send:
            change()
        return [bell.job_id for call in send.call_args_list for bell in call.args[0]]

    url = f"{LIST}{limit.pk}/"
    assert rung(lambda: desk.post(f"{url}change/", {"max_running": 1, "reason": "No more"})) == []
    assert rung(lambda: desk.post(f"{url}change/", {"max_running": 2})) == [job.pk]
    QueueLimit.objects.update(is_paused=True)
    assert rung(lambda: act(desk, "resume_selected", limit)) == [job.pk]
    QueueLimit.objects.update(is_paused=True)
    assert rung(lambda: desk.post(f"{url}delete/", {"post": "yes"})) == [job.pk]
    assert not QueueLimit.objects.exists()


def test_who_may_only_view_sees_no_actions(client: Client, db: None) -> None:
    limit = QueueLimit.objects.create(scope="service", max_running=1)
    client.force_login(staff_who_may("view_queuelimit"))

    page = client.get(LIST)
    act(client, "pause_selected", limit)

    assert page.context["action_form"] is None
    assert "pause_selected" not in page.content.decode()
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{limit.pk}/change/", {"max_running": 5}).status_code == 403
    assert QueueLimit.objects.get().is_paused is False
    assert QueueLimit.objects.get().max_running == 1


def test_others_do_not_see_the_list(client: Client, db: None) -> None:
    client.force_login(staff_who_may("view_downloadjob"))

    assert client.get(LIST).status_code == 403


def test_an_operator_changes_a_share(desk: Client, alice: User) -> None:
    mine = Preferences.objects.create(owner=alice)
    url = f"/admin/jobs/preferences/{mine.pk}/change/"

    assert "twice the worker time" in desk.get(url).content.decode()
    desk.post(url, {"most_urgent": "", "weight": "2.5"})
    mine.refresh_from_db()
    assert mine.weight == 2.5

    for wrong in ("0", "101", "nan", ""):
        assert desk.post(url, {"most_urgent": "", "weight": wrong}).status_code == 200
    mine.refresh_from_db()
    assert mine.weight == 2.5
