"""Repeat a download from a form, and the page with the schedules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.engine.schedules import run_due_schedules
from jobs.models import DownloadJob, Schedule
from tests.factories import StoredFileFactory
from tests.pages.looks import INLINE, of, text

REPORT = {"period": "7d", "as": "pdf"}
DAILY = REPORT | {"repeat": "daily", "repeatAt": "08:30", "repeatZone": "Europe/Berlin"}

pytestmark = pytest.mark.usefixtures("broker")


def saved(visitor: Client, **fields: str) -> Schedule:
    response = visitor.post("/reports", DAILY | fields)
    assert (response.status_code, response["Location"]) == (303, "/schedules"), text(response)
    return Schedule.objects.get()


def press(visitor: Client, schedule: Schedule, button: str) -> Any:
    return visitor.post(f"/schedules/{schedule.pk}/{button}")


@pytest.mark.parametrize(
    ("repeat", "line"),
    [
        ("daily", "30 8 * * *"),
        ("weekdays", "30 8 * * 1-5"),
        ("weekly", "30 8 * * 1"),
        ("monthly", "30 8 1 * *"),
        ("cron", "0 6 * * *"),
    ],
)
def test_repeated_report_becomes_a_schedule(
    visitor: Client, alice: User, repeat: str, line: str
) -> None:
    schedule = saved(visitor, repeat=repeat, repeatCron="0 6 * * *")

    assert (schedule.owner, schedule.kind, schedule.cron) == (alice, "report", line)
    assert schedule.time_zone == "Europe/Berlin"
    assert schedule.request == {"period": "7d", "format": "pdf"}
    assert not DownloadJob.objects.exists()


def test_form_that_repeats_nothing_starts_a_job(visitor: Client) -> None:
    visitor.post("/reports", DAILY | {"repeat": ""})

    assert DownloadJob.objects.exists()
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("fields", "name", "sentence"),
    [
        ({"repeat": "cron", "repeatCron": "61 * * * *"}, "repeatCron", "minute 61 is not in 0-59."),
        ({"repeat": "cron", "repeatCron": ""}, "repeatCron", "This field may not be blank."),
        ({"repeatAt": "8"}, "repeatAt", "Choose a time."),
        ({"repeatZone": "Mars"}, "repeatZone", "Use a name such as Europe/Berlin."),
        (
            {"runAt": "2027-01-01T08:00"},
            "runAt",
            "Leave this empty to repeat the download.",
        ),
    ],
)
def test_invalid_field_is_explained(
    visitor: Client, fields: dict[str, str], name: str, sentence: str
) -> None:
    response = visitor.post("/reports", DAILY | fields)

    assert response.status_code == 400
    assert f'id="{name}-error" role="alert">{sentence}</p>' in text(response)
    assert not Schedule.objects.exists()


def test_form_sent_twice_is_one_schedule(visitor: Client) -> None:
    for _ in range(2):
        assert visitor.post(f"/reports?once={'0a' * 16}", DAILY).status_code == 303

    assert Schedule.objects.count() == 1


def test_generated_form_repeats_a_kind_of_a_team(
    visitor: Client, add_kinds: Callable[..., None]
) -> None:
    add_kinds("tests.shop.OrderExport")
    fields = {"year": "2025", "repeat": "weekly", "repeatAt": "07:00", "repeatZone": "UTC"}

    response = visitor.post("/new/order-export", fields)

    schedule = Schedule.objects.get()
    assert response["Location"] == "/schedules"
    assert (schedule.kind, schedule.request["year"]) == ("order-export", 2025)
    Schedule.objects.update(next_run_at=timezone.now())
    run_due_schedules()
    assert DownloadJob.objects.get().params["year"] == 2025


@pytest.mark.parametrize(
    ("path", "fields", "request_body"),
    [
        ("/link", {"url": "https://example.org/a.tar"}, {"url": "https://example.org/a.tar"}),
        ("/downloads", {"file": "70000", "name": "A.zip"}, {"file_ids": [70000], "name": "A.zip"}),
    ],
)
def test_links_and_zips_repeat_too(
    visitor: Client, path: str, fields: dict[str, str], request_body: dict[str, Any]
) -> None:
    StoredFileFactory(file_id=70000)
    repeat = {"repeat": "daily", "repeatAt": "08:30", "repeatZone": "UTC"}

    assert "Repeat</summary>" in text(visitor.get(path if path == "/link" else "/"))
    assert visitor.post(path, fields | repeat)["Location"] == "/schedules"

    schedule = Schedule.objects.get()
    assert schedule.request.items() >= request_body.items()
    assert not DownloadJob.objects.exists()
    refused = visitor.post(path, fields | repeat | {"repeatAt": "late"})
    assert 'id="repeatAt-error"' in text(refused)


def test_generated_form_explains_an_invalid_line(
    visitor: Client, add_kinds: Callable[..., None]
) -> None:
    add_kinds("tests.shop.OrderExport")

    response = visitor.post("/new/order-export", {"year": "2025", "repeat": "cron"})

    assert response.status_code == 400
    assert 'id="repeatCron-error"' in text(response)


def test_page_shows_the_next_and_the_last_run(visitor: Client) -> None:
    schedule = saved(visitor)
    Schedule.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
    run_due_schedules()

    page = text(visitor.get("/schedules"))

    assert "At 08:30 every day" in page
    assert "Europe/Berlin" in page
    assert "Next run <time" in page
    assert f'href="{of(DownloadJob.objects.get())}"' in page
    assert "Queued" in page
    assert f'action="/schedules/{schedule.pk}/pause"' in page
    assert not INLINE.search(page)


def test_page_shows_why_a_run_was_not_started(visitor: Client, settings: Any) -> None:
    saved(visitor)
    settings.MAX_ACTIVE_JOBS = 0
    Schedule.objects.update(next_run_at=timezone.now())
    run_due_schedules()

    page = text(visitor.get("/schedules"))

    assert "Not started" in page
    assert Schedule.objects.get().runs.get().error in page


def test_page_without_schedules_says_how_to_make_one(visitor: Client) -> None:
    assert "No schedules yet" in text(visitor.get("/schedules"))


def test_my_downloads_leads_to_the_schedules(visitor: Client) -> None:
    assert 'href="/schedules"' in text(visitor.get("/settings"))


def test_schedule_can_be_paused_and_resumed(visitor: Client) -> None:
    schedule = saved(visitor)

    press(visitor, schedule, "pause")
    paused = text(visitor.get("/schedules"))
    press(visitor, schedule, "resume")

    assert "<span>Paused</span>" in paused
    schedule.refresh_from_db()
    assert schedule.next_run_at


def test_schedule_can_be_run_at_once(visitor: Client) -> None:
    response = press(visitor, saved(visitor), "run")

    assert response["Location"] == of(DownloadJob.objects.get())


def test_run_beyond_a_limit_is_explained(visitor: Client, settings: Any) -> None:
    schedule = saved(visitor)
    settings.MAX_ACTIVE_JOBS = 0

    response = press(visitor, schedule, "run")

    assert response["Location"] == "/schedules"
    assert "active" in text(visitor.get("/schedules"))


def test_schedule_can_be_deleted(visitor: Client) -> None:
    press(visitor, saved(visitor), "delete")

    assert not Schedule.objects.exists()
    assert "Schedule deleted." in text(visitor.get("/schedules"))


@pytest.mark.parametrize("button", ["pause", "resume", "run", "delete"])
def test_schedule_of_somebody_else_is_left_alone(visitor: Client, bob: User, button: str) -> None:
    schedule = saved(visitor)
    Schedule.objects.update(owner=bob)

    assert press(visitor, schedule, button).status_code == 403

    assert text(visitor.get("/schedules")).count('class="schedule"') == 0
    assert not Schedule.objects.get().is_paused
    assert not DownloadJob.objects.exists()
