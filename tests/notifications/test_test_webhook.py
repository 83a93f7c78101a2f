"""Webhooks on demand: a test event, the list of deliveries, and sending one again."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient
from standardwebhooks import Webhook

from jobs.models import Notification, Preferences
from tests.factories import JobFactory, NotificationFactory
from tests.notifications.outbox import attempt, completed, only
from tests.notifications.receiver import Receiver
from tests.pages.looks import BROWSER, of, text

pytestmark = pytest.mark.django_db(transaction=True)  # outcomes are recorded outside transactions

TEST, DELIVERIES = "/v1/webhook/test", "/v1/webhook/deliveries"
State = Notification.State


@pytest.fixture
def api(alice: User) -> APIClient:
    client = APIClient()
    client.force_login(alice)
    return client


@pytest.fixture
def visitor(alice: User) -> Client:
    client = Client(headers=BROWSER)
    client.force_login(alice)
    return client


def resend(client: Any, delivery_id: UUID) -> Any:
    return client.post(f"{DELIVERIES}/{delivery_id}/resend")


def test_a_test_is_signed_and_its_response_returned(
    receiver: Receiver, api: APIClient, alice: User
) -> None:
    receiver.statuses, receiver.body = [201], b"created"

    response = api.post(TEST, {"url": receiver.url})

    (call,) = receiver.calls
    message = Webhook(Preferences.objects.get(owner=alice).secret).verify(call.body, call.headers)
    assert (message["type"], message["data"]) == ("webhook.test", {"userId": str(alice.pk)})
    body = response.json()
    assert response.status_code == 200
    assert body["responseSeconds"] < 10
    assert {name: body[name] for name in body if name not in TIMES} == {
        "type": "webhook.test",
        "jobId": None,
        "host": "127.0.0.1",
        "status": "sent",
        "attempts": 1,
        "error": None,
        "responseStatus": 201,
        "responseBody": "created",
        "nextAttemptAt": None,
    }
    assert call.headers["webhook-id"] == f"msg_{UUID(body['deliveryId']).hex}"
    assert "of-alice" not in response.content.decode()  # the rest of the URL may be a secret


TIMES = {"deliveryId", "createdAt", "sentAt", "responseSeconds"}


def test_without_a_url_the_saved_one_is_tested(
    receiver: Receiver, api: APIClient, alice: User
) -> None:
    Preferences.objects.create(owner=alice, webhook=receiver.url)

    assert api.post(TEST, {}).json()["responseStatus"] == 204


def test_without_any_url_there_is_nothing_to_test(api: APIClient) -> None:
    response = api.post(TEST, {})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "url"


@pytest.mark.parametrize("status", [410, 500])
def test_a_refused_test_is_not_tried_again(receiver: Receiver, api: APIClient, status: int) -> None:
    receiver.statuses = [status]

    body = api.post(TEST, {"url": receiver.url}).json()

    assert (body["status"], body["error"]) == ("failed", f"127.0.0.1 returned {status}.")
    assert not Notification.objects.waiting().exists()


def test_a_receiver_that_is_down_is_told_in_a_sentence(api: APIClient, settings: Any) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.1"]

    body = api.post(TEST, {"url": "http://127.0.0.1:9/"}).json()

    assert (body["status"], body["responseStatus"]) == ("failed", None)
    assert "could not be reached" in body["error"]


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://10.0.0.1/", "http://[::1]/"])
def test_a_test_never_goes_to_a_private_address(api: APIClient, url: str) -> None:
    response = api.post(TEST, {"url": url})

    assert (response.status_code, response.json()["code"]) == (422, "blocked_address")
    assert not Notification.objects.exists()


def test_a_saved_private_address_is_refused_when_it_is_tested(
    receiver: Receiver, api: APIClient, alice: User, settings: Any
) -> None:
    Preferences.objects.create(owner=alice, webhook=receiver.url)
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = []

    body = api.post(TEST, {}).json()

    assert (body["status"], body["responseStatus"]) == ("failed", None)
    assert not receiver.calls


def test_tests_are_limited(receiver: Receiver, api: APIClient, settings: Any) -> None:
    settings.RATES = settings.RATES | {"webhook": ["owner:2/60"]}

    statuses = [api.post(TEST, {"url": receiver.url}).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert len(receiver.calls) == 2


def test_deliveries_are_listed_with_the_last_response(
    receiver: Receiver, api: APIClient, alice: User, bob: User
) -> None:
    receiver.statuses, receiver.body = [503], b"down"
    job = completed(alice, webhook=receiver.url)
    attempt(only(job))
    NotificationFactory(owner=bob)
    NotificationFactory(owner=alice, channel="email", to="alice@example.com")

    (body,) = api.get(DELIVERIES).json()["results"]

    assert (body["type"], body["jobId"]) == ("job.completed", str(job.pk))
    assert (body["status"], body["attempts"]) == ("waiting", 1)
    assert (body["responseStatus"], body["responseBody"]) == (503, "down")
    assert body["nextAttemptAt"]
    assert api.get(DELIVERIES, {"jobId": job.pk}).json()["results"] == [body]
    assert api.get(DELIVERIES, {"jobId": uuid4()}).json()["results"] == []
    assert api.get(DELIVERIES, {"jobId": "x"}).status_code == 400


def test_at_most_fifty_are_listed(api: APIClient, alice: User) -> None:
    job = JobFactory(owner=alice)
    NotificationFactory.create_batch(51, owner=alice, job=job)

    assert len(api.get(DELIVERIES).json()["results"]) == 50


def test_a_failed_delivery_is_sent_again_with_its_id(
    receiver: Receiver, api: APIClient, alice: User
) -> None:
    receiver.statuses = [410]
    row = attempt(only(completed(alice, webhook=receiver.url)))

    response = resend(api, row.pk)
    twice = resend(api, row.pk)
    row = attempt(row)

    assert (response.status_code, response.json()["status"]) == (200, "waiting")
    assert (twice.status_code, twice.json()["code"]) == (409, "conflict")
    assert (row.state, row.error, row.response_status) == (State.SENT, "", 204)
    first, second = receiver.calls
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


def test_a_test_can_be_sent_again(receiver: Receiver, api: APIClient) -> None:
    receiver.statuses = [500]
    sent = api.post(TEST, {"url": receiver.url}).json()

    resend(api, sent["deliveryId"])
    row = attempt(Notification.objects.get())

    assert row.state == State.SENT
    assert len({call.body for call in receiver.calls}) == 1


@pytest.mark.parametrize("hidden", [False, True])
def test_another_users_delivery_cannot_be_sent(
    api: APIClient, bob: User, settings: Any, hidden: bool
) -> None:
    settings.HIDE_FOREIGN_JOBS = hidden
    row = NotificationFactory(owner=bob, state="failed", error="gone")
    operators = NotificationFactory(
        owner=None, job=None, state="failed", channel="webhook", content={"alert": {}}
    )
    mail = NotificationFactory(owner=bob, state="failed", channel="email")
    unknown = resend(api, uuid4()).json() | {"requestId": ""}

    assert resend(api, row.pk).status_code == (404 if hidden else 403)
    for other in (operators, mail):
        assert resend(api, other.pk).json() | {"requestId": ""} == unknown
    page = f"/settings/deliveries/{row.pk}/resend"
    assert api.post(page).status_code == (404 if hidden else 403)
    assert Notification.objects.filter(state=State.FAILED).count() == 3


def test_staff_see_only_their_own_deliveries(api: APIClient, alice: User, bob: User) -> None:
    alice.is_staff = True
    alice.save()
    row = NotificationFactory(owner=bob, state="failed")

    assert api.get(DELIVERIES).json()["results"] == []
    assert resend(api, row.pk).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", TEST),
        ("get", DELIVERIES),
        ("post", f"{DELIVERIES}/0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55/resend"),
    ],
)
def test_strangers_are_refused(method: str, path: str) -> None:
    assert getattr(APIClient(), method)(path).status_code == 401


def test_the_button_on_the_settings_page_sends_what_is_typed(
    receiver: Receiver, visitor: Client, alice: User
) -> None:
    Preferences.objects.create(owner=alice, webhook="https://hooks.example.org/old")
    receiver.statuses, receiver.body = [400], b"<b>unknown event</b>"

    response = visitor.post("/settings", {"webhook": receiver.url, "test": ""})

    html = text(response)
    assert response.status_code == 200
    assert "The receiver returned 400 in" in html
    assert "&lt;b&gt;unknown event&lt;/b&gt;" in html
    assert f'value="{receiver.url}"' in html
    assert Preferences.objects.get().webhook == "https://hooks.example.org/old"  # not saved
    assert len(receiver.calls) == 1


def test_enter_in_the_form_saves(visitor: Client) -> None:
    html = text(visitor.get("/settings"))

    assert html.index(">Save</button>") < html.index(">Send a test</button>")


def test_the_button_names_a_missing_or_blocked_address(visitor: Client) -> None:
    empty = visitor.post("/settings", {"webhook": "", "test": ""})
    private = visitor.post("/settings", {"webhook": "http://10.0.0.1/", "test": ""})

    assert (empty.status_code, private.status_code) == (400, 422)
    assert "Enter the address to send the test to." in text(empty)
    assert "not on the public internet" in text(private)
    assert not Notification.objects.exists()


def test_the_job_page_resends_its_webhook(visitor: Client, alice: User) -> None:
    job = JobFactory(owner=alice, status="completed", webhook="https://hooks.example.org/")
    row = NotificationFactory(
        owner=alice,
        job=job,
        state="failed",
        tries=5,
        error="hooks.example.org returned 500.",
        response_status=500,
        response_seconds=0.25,
        response_text="no <table>",
    )

    html = text(visitor.get(of(job)))
    response = visitor.post(reverse("delivery-resend", args=[row.pk]), {"from": "job"})

    assert "5 attempts" in html
    assert "Response: 500 in 0.25\u00a0s" in html
    assert "no &lt;table&gt;" in html
    assert response["Location"] == of(job)
    again = text(visitor.get(of(job)))
    assert "The webhook is being sent again." in again
    assert "Resend" not in again
    row.refresh_from_db()
    assert (row.state, row.tries) == (State.WAITING, 0)


def test_a_second_click_says_that_it_is_being_tried(visitor: Client, alice: User) -> None:
    row = NotificationFactory(owner=alice)

    response = visitor.post(reverse("delivery-resend", args=[row.pk]), follow=True)

    assert "still being tried" in text(response)


def test_the_deliveries_page_lists_webhooks(visitor: Client, alice: User, bob: User) -> None:
    NotificationFactory(owner=alice, sent=True, response_status=204, response_seconds=0.1)
    NotificationFactory(owner=bob, to="https://bobs.example.org/")

    html = text(visitor.get("/settings/deliveries"))

    assert "Webhook to example.org" in html
    assert "Response: 204 in 0.10\u00a0s" in html
    assert "bobs.example.org" not in html
    assert text(visitor.get("/settings")).count('href="/settings/deliveries"') == 1


def test_without_deliveries_the_page_says_so(visitor: Client) -> None:
    assert "No deliveries yet" in text(visitor.get("/settings/deliveries"))
