"""Webhooks about the end of a job, as a real receiver gets them."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from datetime import timedelta
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from jobs.models import ApiKey, Notification, Preferences
from jobs.models.preferences import new_secret
from jobs.notifications import send_notification, webhook
from jobs.notifications.senders import LEASE
from jobs.states import Status
from tests.factories import make_key
from tests.hostile.rebinding import rebinding
from tests.live import ROOT
from tests.notifications.outbox import ENDS, SITE, attempt, completed, failed, only, wait_seconds
from tests.notifications.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)  # outcomes are recorded outside transactions

State = Notification.State
HTTP_DATE = "a date"


def test_the_standardwebhooks_library_accepts_the_signature(
    receiver: Receiver, alice: User
) -> None:
    job = completed(alice, webhook=receiver.url)

    row = attempt(only(job))

    (call,) = receiver.calls
    assert (row.state, row.error) == (State.SENT, "")
    message = Webhook(Preferences.objects.get(owner=alice).secret).verify(call.body, call.headers)
    assert message["type"] == "job.completed"
    assert message["timestamp"] == message["data"]["finishedAt"]
    assert message["data"] == row.content | {
        "statusUrl": f"{SITE}/v1/download/status/{job.pk}",
        "downloadUrl": f"{SITE}/v1/download/{job.pk}",
    }
    assert message["data"]["jobId"] == str(job.pk)
    assert call.path == "/hook?token=of-alice"
    assert call.headers["webhook-id"] == f"msg_{row.pk.hex}"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["user-agent"] == "Downloads/1"


def test_verification_code_in_the_documentation(receiver: Receiver, alice: User) -> None:
    attempt(only(completed(alice, webhook=receiver.url)))
    (call,), secret = receiver.calls, Preferences.objects.get(owner=alice).secret
    code: dict[str, Any] = {}

    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL)
    exec(next(block for block in blocks if "webhook-id" in block), code)

    late = call.headers | {"webhook-timestamp": "1700000000"}
    assert code["is_genuine"](secret, call.headers, call.body)
    assert not code["is_genuine"](new_secret(), call.headers, call.body)
    assert not code["is_genuine"](secret, call.headers, call.body + b" ")
    assert not code["is_genuine"](secret, late, call.body)


def test_changed_or_old_messages_are_rejected(receiver: Receiver, alice: User) -> None:
    attempt(only(completed(alice, webhook=receiver.url)))
    (call,) = receiver.calls
    reader = Webhook(Preferences.objects.get(owner=alice).secret)
    late = call.headers | {"webhook-timestamp": str(int(call.headers["webhook-timestamp"]) - 600)}

    forged = (call.body.replace(b"completed", b"cancelled"), call.headers)
    for body, headers in [forged, (call.body, late)]:
        with pytest.raises(WebhookVerificationError):
            reader.verify(body, headers)


@pytest.mark.parametrize("status", ENDS)
def test_its_urls_work_and_none_is_of_the_file_store(
    receiver: Receiver, alice: User, client: Client, status: Status, settings: Any
) -> None:
    attempt(only(ENDS[status](alice, webhook=receiver.url)))
    body = receiver.calls[0].body.decode()
    message = json.loads(body)

    assert message["type"] == f"job.{status}"
    assert ("downloadUrl" in message["data"]) == (status == Status.COMPLETED)
    assert "X-Amz" not in body
    assert urlsplit(settings.S3_PUBLIC_ENDPOINT_URL).netloc not in body
    client.force_login(alice)
    assert client.get(urlsplit(message["data"]["statusUrl"]).path).json()["status"] == status


class TestOfAKey:
    """Deliveries to the webhook of an API key are signed with the secret of that key."""

    def verifies(self, secret: str, call: Any) -> bool:
        try:
            return bool(Webhook(secret).verify(call.body, call.headers))
        except WebhookVerificationError:
            return False

    def test_the_secret_of_the_key_signs(self, receiver: Receiver, alice: User, bob: User) -> None:
        for owner in (alice, bob):
            make_key(owner, webhook=receiver.url)
        make_key(alice, webhook="https://example.org/other")
        ApiKey.objects.all().revoke()  # the job was started before

        attempt(only(completed(alice, webhook=receiver.url)))

        (call,), own = receiver.calls, Preferences.objects.get(owner=alice).secret
        keys = {key.owner_id: key for key in ApiKey.objects.filter(webhook=receiver.url)}
        assert self.verifies(keys[alice.pk].webhook_secret, call)
        assert not self.verifies(keys[bob.pk].webhook_secret, call)
        assert not self.verifies(own, call)
        assert call.headers["webhook-signature"].count("v1,") == 1

    def test_both_sign_if_the_owner_has_the_same_webhook(
        self, receiver: Receiver, alice: User
    ) -> None:
        make_key(alice, webhook=receiver.url)
        own = Preferences.objects.create(owner=alice, webhook=receiver.url)

        attempt(only(completed(alice, webhook=receiver.url)))

        (call,) = receiver.calls
        assert self.verifies(ApiKey.objects.get().webhook_secret, call)
        assert self.verifies(own.secret, call)

    def test_another_webhook_is_signed_with_the_owners(
        self, receiver: Receiver, alice: User
    ) -> None:
        make_key(alice, webhook="https://example.org/other")

        attempt(only(completed(alice, webhook=receiver.url)))

        (call,) = receiver.calls
        assert not self.verifies(ApiKey.objects.get().webhook_secret, call)
        assert self.verifies(Preferences.objects.get(owner=alice).secret, call)

    def test_a_test_with_the_key_goes_to_its_webhook(
        self, receiver: Receiver, alice: User, client: Client
    ) -> None:
        headers = {"Authorization": f"Bearer {make_key(alice, webhook=receiver.url)}"}

        response = client.post("/v1/webhook/test", {}, "application/json", headers=headers)

        assert response.status_code == 200
        assert self.verifies(ApiKey.objects.get().webhook_secret, receiver.calls[0])


def test_both_secrets_are_used_for_a_day_after_rotation(receiver: Receiver, alice: User) -> None:
    old, new = new_secret(), new_secret()
    Preferences.objects.create(
        owner=alice, secret=new, earlier_secret=old, secret_changed_at=timezone.now()
    )

    row = attempt(only(completed(alice, webhook=receiver.url)))
    Preferences.objects.update(secret_changed_at=timezone.now() - timedelta(hours=25))
    Notification.objects.all().send_again()
    attempt(row)

    young, aged = receiver.calls
    for secret in (old, new):
        Webhook(secret).verify(young.body, young.headers)
    Webhook(new).verify(aged.body, aged.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(aged.body, aged.headers)


def test_concurrent_first_uses_create_one_secret(receiver: Receiver, alice: User) -> None:
    for _ in range(8):
        completed(alice, webhook=receiver.url)
    rows = [Notification.objects.take("webhook", lease=LEASE, spared=[]) for _ in range(8)]
    start = threading.Barrier(len(rows))

    def send(row: Any) -> None:
        start.wait()
        send_notification(row, webhook.send_webhook)
        connection.close()

    threads = [threading.Thread(target=send, args=[row]) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    reader = Webhook(Preferences.objects.get(owner=alice).secret)
    assert [reader.verify(call.body, call.headers)["type"] for call in receiver.calls] == [
        "job.completed"
    ] * len(rows)


@pytest.mark.parametrize("status", [500, 503, 404, 429, 301, 302, 307, 308])
def test_failures_are_retried_unchanged(receiver: Receiver, alice: User, status: int) -> None:
    job = failed(alice, webhook=receiver.url)
    receiver.statuses = [status]
    receiver.location = receiver.url + "&elsewhere"

    row = attempt(only(job))

    assert (row.state, row.tries) == (State.WAITING, 1)
    assert row.error == f"127.0.0.1 returned {status}."
    assert wait_seconds(row) == 60
    assert len(receiver.calls) == 1, "a redirect is not followed"
    assert attempt(row).state == State.SENT
    first, second = receiver.calls
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


@pytest.mark.parametrize("status", [429, 503, 500, 302])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [("12", 60), ("600", 600), ("soon", 60), ("9999999", 86_400), (HTTP_DATE, 900)],
)
def test_retry_after_is_respected(
    receiver: Receiver, alice: User, status: int, value: str, seconds: int
) -> None:
    """At most a day, and at least the usual delay."""
    receiver.statuses = [status]
    receiver.retry_after = formatdate(time.time() + 900) if value == HTTP_DATE else value

    row = attempt(only(completed(alice, webhook=receiver.url)))

    assert row.state == State.WAITING
    assert (row.due_at - timezone.now()).total_seconds() == pytest.approx(seconds, abs=10)


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nMy Param: None\r\nno colon\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: v\r\n" * 150,
    ],
)
def test_an_unusual_response_counts_as_delivered(
    receiver: Receiver, alice: User, first: bytes
) -> None:
    receiver.first = first

    row = attempt(only(completed(alice, webhook=receiver.url)))

    assert (row.state, row.error, row.tries) == (State.SENT, "", 1)
    assert len(receiver.calls) == 1


def test_it_is_attempted_five_times(receiver: Receiver, alice: User) -> None:
    row = only(completed(alice, webhook=receiver.url))
    receiver.statuses = [500] * 9

    waited = [wait_seconds(attempt(row)) for _ in range(4)]
    last = attempt(row)

    assert waited == [60, 300, 1800, 7200]
    assert (last.state, last.tries, len(receiver.calls)) == (State.FAILED, 5, 5)


def test_410_is_not_retried(receiver: Receiver, alice: User) -> None:
    receiver.statuses = [410]

    row = attempt(only(completed(alice, webhook=receiver.url)))

    assert (row.state, row.error) == (State.FAILED, "127.0.0.1 returned 410.")


@pytest.mark.parametrize("misbehave", [0, -1], ids=["silent", "dripping"])
def test_an_endless_response_is_aborted(
    receiver: Receiver, alice: User, misbehave: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "WITHIN_SECONDS", 0.3)
    receiver.statuses = [misbehave]
    began = timezone.now()

    row = attempt(only(completed(alice, webhook=receiver.url)))

    assert (row.state, row.error) == (State.WAITING, "127.0.0.1 took too long to respond.")
    assert (timezone.now() - began).total_seconds() < webhook.WITHIN_SECONDS + 10


def test_a_refused_connection_is_retried(receiver: Receiver, alice: User) -> None:
    row = attempt(only(completed(alice, webhook="http://127.0.0.1:1/secret-path")))

    assert (row.state, row.error) == (State.WAITING, "127.0.0.1 could not be reached.")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:{port}/x", "127.0.0.1 is not on the public internet."),
        ("http://localhost:{port}/x", "localhost is not on the public internet."),
        ("http://[::1]:{port}/x", "::1 is not on the public internet."),
        ("http://169.254.169.254/latest", "169.254.169.254 is not on the public internet."),
        ("https://hooks.example.com:22/x", "We don't fetch from port 22 of hooks.example.com."),
        ("ftp://hooks.example.com/x", "Enter a web address that starts with http:// or https://."),
        ("http://me:pw@example.com/", "Remove the user name and password from the web address."),
    ],
)
def test_forbidden_addresses_are_refused(
    receiver: Receiver, alice: User, url: str, error: str, settings: Any
) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = []
    job = completed(alice, webhook=url.format(port=receiver.port))

    row = attempt(only(job))

    assert (row.state, row.error, row.tries) == (State.FAILED, error, 1)
    assert receiver.calls == []


def test_a_private_name_looks_like_an_unknown_one(
    receiver: Receiver, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = []
    settings.REMOTE_PORTS = [receiver.port]
    url = f"http://hooks.example.org:{receiver.port}/x"

    with rebinding("hooks.example.org", first="10.0.0.7", then="10.0.0.7"):
        inside = attempt(only(completed(alice, webhook=url)))
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", unknown)
        outside = attempt(only(completed(alice, webhook=url)))

    sentence = "We couldn't find a public address for hooks.example.org."
    for row in (inside, outside):
        assert (row.state, row.error, wait_seconds(row)) == (State.WAITING, sentence, 60)
    assert receiver.calls == []


def unknown(host: str, *args: Any, **options: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_name_is_resolved_once(receiver: Receiver, alice: User, settings: Any) -> None:
    settings.REMOTE_ALLOWED_PRIVATE_HOSTS = ["127.0.0.2"]
    settings.REMOTE_PORTS = [receiver.port]
    url = f"http://hooks.example.org:{receiver.port}/x"

    with rebinding("hooks.example.org", first="127.0.0.2", then="127.0.0.1") as name:
        row = attempt(only(completed(alice, webhook=url)))

    assert (row.state, row.error) == (State.WAITING, "hooks.example.org could not be reached.")
    assert (name.calls, receiver.calls) == (1, [])


def test_paths_are_not_in_errors_and_logs(
    receiver: Receiver, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.statuses = [500]

    row = attempt(only(completed(alice, webhook=receiver.url)))

    assert "of-alice" not in row.error + caplog.text + str(row)
