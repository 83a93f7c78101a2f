"""The admin pages of schedules."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from jobs.engine.schedules import create_schedule, run_schedule_now
from jobs.models import Schedule
from tests.factories import staff_who_may

LIST = "/admin/jobs/schedule/"

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture
def schedule(alice: User) -> Schedule:
    request = {"period": "7d", "format": "pdf"}
    return create_schedule(
        Schedule(
            owner=alice, name="Weekly", kind="report", request=request, cron="0 9 * * 1",
            time_zone="UTC",
        )
    )[0]  # fmt: skip


@pytest.fixture
def admin(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def page_of(schedule: Schedule) -> str:
    return f"{LIST}{schedule.pk}/change/"


def act(client: Client, action: str, schedule: Schedule) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": [str(schedule.pk)]})


def test_list_has_the_next_and_the_last_run(admin: Client, schedule: Schedule) -> None:
    run_schedule_now(schedule.pk)

    page = admin.get(LIST).content.decode()

    assert "Weekly" in page
    assert "0 9 * * 1" in page
    assert ">Queued</a>" in page


def test_page_has_the_request_and_the_runs(admin: Client, schedule: Schedule) -> None:
    schedule.record_run(schedule.created_at, None, "too_many_active", "Too many are active.")

    page = admin.get(page_of(schedule)).content.decode()

    assert "At 09:00 on Monday, UTC" in page
    assert "&quot;period&quot;" in page
    assert "Too many are active." in page


def test_change_plans_the_next_run_and_is_logged(admin: Client, schedule: Schedule) -> None:
    values = {"name": "Yearly", "cron": "0 0 1 1 *", "time_zone": "UTC"}
    inlines = {"runs-TOTAL_FORMS": "0", "runs-INITIAL_FORMS": "0"}

    response = admin.post(page_of(schedule), values | inlines)

    assert response.status_code == 302
    schedule.refresh_from_db()
    assert schedule.name == "Yearly"
    assert schedule.next_run_at
    assert f"{schedule.next_run_at:%m-%d %H:%M}" == "01-01 00:00"
    assert LogEntry.objects.get().object_id == str(schedule.pk)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"cron": "61 * * * *"}, "minute 61 is not in 0-59."),
        ({"time_zone": "Mars"}, "Use a name such as Europe/Berlin."),
    ],
)
def test_invalid_change_is_explained(
    admin: Client, schedule: Schedule, values: dict[str, str], sentence: str
) -> None:
    form = {"name": "Weekly", "cron": "0 9 * * 1", "time_zone": "UTC"} | values
    inlines = {"runs-TOTAL_FORMS": "0", "runs-INITIAL_FORMS": "0"}

    response = admin.post(page_of(schedule), form | inlines)

    assert sentence in response.content.decode()
    assert Schedule.objects.filter(cron="0 9 * * 1", time_zone="UTC").exists()


def test_schedules_can_be_paused_and_resumed(admin: Client, schedule: Schedule) -> None:
    act(admin, "pause_selected", schedule)
    paused = Schedule.objects.get()
    act(admin, "resume_selected", schedule)
    resumed = Schedule.objects.get()

    assert (paused.is_paused, paused.next_run_at) == (True, None)
    assert resumed.next_run_at == schedule.next_run_at
    messages = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(messages) == ["Paused.", "Resumed."]


def test_schedule_can_be_deleted(admin: Client, schedule: Schedule) -> None:
    admin.post(f"{LIST}{schedule.pk}/delete/", {"post": "yes"})

    assert not Schedule.objects.exists()
    assert LogEntry.objects.get().object_repr == "Weekly"


def test_staff_who_may_view_cannot_change(client: Client, schedule: Schedule) -> None:
    client.force_login(staff_who_may("view_schedule"))

    act(client, "pause_selected", schedule)

    assert client.get(page_of(schedule)).status_code == 200
    assert not Schedule.objects.get().is_paused
    assert client.post(f"{LIST}{schedule.pk}/delete/", {"post": "yes"}).status_code == 403


def test_staff_without_permission_see_nothing(client: Client, schedule: Schedule) -> None:
    client.force_login(staff_who_may(None))

    assert client.get(LIST).status_code == 403
