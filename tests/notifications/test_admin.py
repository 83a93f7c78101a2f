"""The outbox in the admin: what operators see and can do."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from jobs.models import Notification, Preferences
from jobs.operations.admin import notifications as page
from tests.factories import UserFactory
from tests.notifications.outbox import completed, failed, only

LIST = "/admin/jobs/notification/"
HOOK = "https://hooks.example.com/services/T0/secret-of-alice"

State = Notification.State


@pytest.fixture
def desk(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def settle(row: Notification, *, error: str = "") -> Notification:
    taken = Notification.objects.filter(pk=row.pk)
    taken.update(state=State.FAILED, error=error or "127.0.0.1 returned 500.", tries=5)
    row.refresh_from_db()
    return row


def act(desk: Client, *rows: Notification) -> str:
    chosen = {"action": "send_again_selected", "_selected_action": [row.pk for row in rows]}
    return desk.post(LIST, chosen, follow=True).content.decode()


def rows_of(page: Any) -> int:
    return len(page.context["cl"].result_list)


def test_rows_are_listed_with_errors_and_without_secrets(desk: Client, alice: User) -> None:
    row = settle(only(completed(alice, webhook=HOOK)))

    shown = [desk.get(LIST), desk.get(f"{LIST}{row.pk}/change/")]

    for answer in shown:
        said = answer.content.decode()
        assert answer.status_code == 200
        assert "hooks.example.com" in said
        assert "127.0.0.1 returned 500." in said
        assert "secret-of-alice" not in said
        assert 'name="_save"' not in said
    assert f"/admin/jobs/downloadjob/{row.job_id}/change/" in shown[1].content.decode()


def test_send_again_starts_over_with_the_same_id(desk: Client, alice: User) -> None:
    parked = settle(only(completed(alice, email=True)))
    waiting = only(completed(alice, email=True))

    said = act(desk, parked, waiting)

    assert "Queued 1, skipped 1 already waiting." in said
    parked.refresh_from_db()
    assert (parked.state, parked.tries, parked.error) == (State.WAITING, 0, "")


def test_sending_again_is_bounded(
    desk: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "BULK_LIMIT", 2)
    rows = [settle(only(completed(alice, email=True))) for _ in range(3)]

    said = act(desk, *rows)

    assert "Queued 2, skipped 0" in said
    assert "At most 2 at once" in said
    assert Notification.objects.filter(state=State.FAILED).get() == rows[2]


def test_the_button_is_there_for_settled_rows_with_permission(
    desk: Client, alice: User, client: Client
) -> None:
    row = only(completed(alice, email=True))
    url = f"{LIST}{row.pk}"
    assert "Send again" not in desk.get(f"{url}/change/").content.decode()

    settle(row)
    assert "Send again" in desk.get(f"{url}/change/").content.decode()
    assert desk.get(f"{url}/send_again").status_code == 405
    assert "Queued 1" in desk.post(f"{url}/send_again", follow=True).content.decode()
    row.refresh_from_db()
    assert row.state == State.WAITING

    settle(row)
    viewer = UserFactory(username="viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_notification"))
    client.force_login(viewer)
    assert client.post(f"{url}/send_again").status_code == 403
    row.refresh_from_db()
    assert row.state == State.FAILED


def test_rows_are_found_by_state_channel_job_and_owner(
    desk: Client, alice: User, bob: User
) -> None:
    job = failed(alice, email=True, webhook=HOOK)
    completed(bob, email=True)
    settle(Notification.objects.get(job=job, channel="webhook"))

    queries = ["", "?state=failed", "?channel=email", f"?q={str(job.pk)[:8]}", "?q=bob", "?q=xyzzy"]
    assert [rows_of(desk.get(LIST + query)) for query in queries] == [3, 1, 2, 2, 1, 0]


def test_a_job_lists_its_notifications(desk: Client, alice: User) -> None:
    row = settle(only(completed(alice, webhook=HOOK)))

    said = desk.get(f"/admin/jobs/downloadjob/{row.job_id}/change/").content.decode()

    assert ("127.0.0.1 returned 500." in said, "hooks.example.com" in said) == (True, True)
    assert f"{LIST}{row.pk}/change/" in said
    assert "secret-of-alice" not in said


def test_rows_cannot_be_added_or_deleted(desk: Client, alice: User) -> None:
    row = only(completed(alice, email=True))

    assert desk.get(f"{LIST}add/").status_code == 403
    assert desk.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert act(desk).count("Queued") == 0
    chosen = {"action": "send_again_selected", "_selected_action": ["no-id"]}
    assert "not one of the choices" in desk.post(LIST, chosen, follow=True).content.decode()


def test_the_number_of_queries_does_not_depend_on_the_list(
    desk: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        completed(alice, email=True)

    with django_assert_max_num_queries(12):
        assert desk.get(LIST).status_code == 200


def test_operators_can_change_only_an_owners_priority_and_share(
    desk: Client, alice: User, bob: User
) -> None:
    mine = Preferences.objects.create(owner=alice, webhook=HOOK)
    url = f"/admin/jobs/preferences/{alice.pk}/change/"
    shown = desk.get(url).content.decode()
    assert mine.secret not in shown
    assert "secret-of-alice" not in shown

    wrong = {"webhook": "https://eve.example", "owner": bob.pk}
    desk.post(url, {"most_urgent": "8", "weight": "1"} | wrong)
    added = {"owner": bob.pk, "most_urgent": "9", "weight": "1"}
    desk.post("/admin/jobs/preferences/add/", added)

    mine.refresh_from_db()
    assert (mine.owner, mine.most_urgent, mine.webhook) == (alice, 8, HOOK)
    assert Preferences.objects.get(owner=bob).most_urgent == 9
    assert desk.get("/admin/jobs/preferences/").status_code == 200
    assert desk.post(url, {"most_urgent": "10", "weight": "1"}).status_code == 200, (
        "the form again, with an error"
    )
    mine.refresh_from_db()
    assert mine.most_urgent == 8
