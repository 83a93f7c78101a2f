"""Operators are notified when an alert fires and when it is resolved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import OperationalError
from django.utils import timezone

from jobs.errors import ScannerUnavailable
from jobs.models import Alert, JobStatistics, Notification, QueueLimit, ServiceProcess
from jobs.models.job_statistics import BUCKETS
from jobs.notifications import DatabaseWatch, alerts, check_alerts, stand_in_for_dispatchers
from jobs.notifications.alert_conditions import ServiceState
from jobs.notifications.alert_rules import RULES, AlertRule, find_firing_alerts
from jobs.notifications.mail import send_mail_message
from jobs.notifications.webhook import webhook_body, webhook_signature
from jobs.states import Status
from tests.factories import JobFactory, StoredFileFactory, UserFactory

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[1]
WELL = {"storage": True, "database": True, "broker": True}
OPERATORS = ["olga@example.org", "omar@example.org"]
NOTHING = dict.fromkeys(["waits", "pickups", "runs"], [0] * BUCKETS)


@pytest.fixture(autouse=True)
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service in which all is well, and operators who can be told."""
    settings.OPERATOR_EMAILS, settings.MAIL_IS_ON = OPERATORS, True
    settings.CLAMD = "off"
    monkeypatch.setattr("jobs.engine.health.check_dependencies", lambda *_: WELL)
    ServiceProcess.objects.report("worker", "w1@host", slots=2)
    ServiceProcess.objects.report("dispatcher", "d1@host", tick_seconds=0.1)


def firing() -> Mapping[tuple[str, str], str]:
    return find_firing_alerts(ServiceState())


def stop_reports(role: str) -> None:
    seen_at = timezone.now() - timedelta(seconds=30)
    ServiceProcess.objects.filter(role=role).update(seen_at=seen_at)


def test_no_alert_fires_in_a_healthy_service() -> None:
    JobFactory(), JobFactory(status=Status.PROCESSING), JobFactory(status=Status.FAILED)
    JobStatistics.objects.create(
        start=timezone.now(), kind="bundle", completed=95, failed=5, rescued=2, **NOTHING
    )

    assert firing() == {}


def test_jobs_that_wait_too_long() -> None:
    for seconds in (80, 100, 200):
        JobFactory(kind="remote", available_at=timezone.now() - timedelta(seconds=seconds))
    JobFactory(kind="bundle", available_at=timezone.now() - timedelta(seconds=80))

    (found,) = firing().items()

    assert found == (
        ("jobs-wait-too-long", "remote"),
        "Jobs due: 3. The oldest has waited for 3\u00a0min.",
    )


@pytest.mark.parametrize(
    ("scope", "fields", "is_firing"),
    [
        ("service", {"is_paused": True}, False),
        ("service", {"max_running": 1}, True),
        ("kind", {"name": "remote", "is_paused": True}, False),
        ("kind", {"name": "remote", "max_running": 1}, True),
        ("kind", {"name": "bundle", "is_paused": True}, True),
        ("owner", {"is_paused": True}, False),
        ("owner", {"max_running": 1}, False),
        ("key", {"name": "example.org", "is_paused": True}, False),
        ("key", {"name": "example.org", "max_running": 1}, False),
        ("key", {"max_running": 1}, True),
    ],
)
def test_what_an_operator_holds_back_does_not_wait_too_long(
    alice: User, scope: str, fields: dict[str, Any], is_firing: bool
) -> None:
    due = timezone.now() - timedelta(hours=1)
    JobFactory(kind="remote", owner=alice, concurrency_key="example.org", available_at=due)
    owner = alice if scope == "owner" else None
    limit = QueueLimit.objects.create(scope=scope, owner=owner, **fields)
    QueueLimit.objects.update(changed_at=due)
    assert (("jobs-wait-too-long", "remote") in firing()) == is_firing

    QueueLimit.objects.update(is_paused=False, max_running=None, changed_at=timezone.now())
    assert firing() == {}, "the wait for a worker has just begun"

    QueueLimit.objects.update(changed_at=timezone.now() - timedelta(seconds=200))
    assert "waited for 3\u00a0min" in firing()["jobs-wait-too-long", "remote"]
    limit.delete()
    assert "waited for 1\u00a0h" in firing()["jobs-wait-too-long", "remote"]


@pytest.mark.parametrize(
    ("completed", "failed", "is_firing"),
    [(20, 4, False), (16, 4, False), (19, 5, True), (0, 4, False)],
)
def test_many_jobs_fail(completed: int, failed: int, is_firing: bool) -> None:
    now = timezone.now()
    JobStatistics.objects.create(
        start=now, kind="bundle", completed=completed, failed=failed, **NOTHING
    )
    JobStatistics.objects.create(
        start=now - timedelta(minutes=12), kind="bundle", failed=100, **NOTHING
    )

    assert (("jobs-fail", "bundle") in firing()) == is_firing


def test_jobs_lose_their_worker() -> None:
    JobStatistics.objects.create(start=timezone.now(), kind="upload", rescued=3, **NOTHING)

    assert list(firing()) == [("jobs-lose-their-worker", "upload")]


def test_jobs_without_a_heartbeat() -> None:
    late = timezone.now() - timedelta(seconds=5)
    JobFactory(kind="report", status=Status.PROCESSING, lease_until=late)

    assert list(firing()) == [("jobs-stall", "report")]


def test_no_worker_and_one_that_is_not_responding() -> None:
    stop_reports("worker")

    assert list(firing()) == [("no-workers", ""), ("worker-not-responding", "w1@host")]

    ServiceProcess.objects.report("worker", "w2@host")
    assert list(firing()) == [("worker-not-responding", "w1@host")]


def test_no_dispatcher_and_a_slow_one() -> None:
    ServiceProcess.objects.filter(role="dispatcher").update(tick_seconds=11)
    assert list(firing()) == [("dispatcher-slow", "")]

    stop_reports("dispatcher")
    assert list(firing()) == [("no-dispatchers", "")]


def test_a_dispatcher_that_is_not_responding_beside_another() -> None:
    stop_reports("dispatcher")
    ServiceProcess.objects.report("dispatcher", "d2@host")

    assert list(firing()) == [("dispatcher-not-responding", "d1@host")]


def test_servers_that_are_down(settings: Any) -> None:
    settings.CLAMD = "tcp://127.0.0.1:1"
    down = {"storage": False, "database": True, "broker": False}
    with (
        patch("jobs.engine.health.check_dependencies", return_value=down),
        patch(
            "jobs.lib.scanner.scanner_signatures_date",
            side_effect=ScannerUnavailable("Down."),
        ),
    ):
        found = [subject for rule, subject in firing() if rule == "dependency-down"]

    assert found == ["storage", "broker", "scanner"]


@pytest.mark.parametrize(("days", "is_firing"), [(2.9, False), (3.1, True)])
def test_old_signatures(settings: Any, days: float, is_firing: bool) -> None:
    settings.CLAMD = "tcp://127.0.0.1:1"
    date = timezone.now() - timedelta(days=days)
    with patch("jobs.lib.scanner.scanner_signatures_date", return_value=date):
        assert (("signatures-old", "") in firing()) == is_firing


def test_a_store_that_fills(settings: Any, monkeypatch: pytest.MonkeyPatch, alice: User) -> None:
    monkeypatch.setattr("jobs.engine.figures.USED_KEPT_SECONDS", -1)
    settings.STORE_BYTES, settings.OWNER_STORAGE_BYTES = 1000, 0
    StoredFileFactory(owner=alice, size_bytes=860)

    assert firing() == {
        ("store-fills", ""): "The file store is 86% full; uploads are refused from 90 % on."
    }


def test_a_disk_that_fills() -> None:
    ServiceProcess.objects.filter(role="worker").update(scratch_free=0.09)

    assert firing() == {("disk-fills", "w1@host"): "9% of its disk is free."}


def test_owners_near_their_quota(alice: User, settings: Any) -> None:
    settings.OWNER_STORAGE_BYTES = 1000
    StoredFileFactory(owner=alice, size_bytes=900)

    assert list(firing()) == [("quota-near", "")]


def test_an_outbox_that_is_stuck() -> None:
    due_at = timezone.now() - timedelta(seconds=100)
    Notification.objects.create(
        pk="0b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55", channel="email", content={}, due_at=due_at
    )

    assert firing() == {
        ("outbox-stuck", "email"): "Messages to send: 1. The oldest is 2\u00a0min late."
    }


def failing_message(channel: str, owner: User | None = None, **fields: Any) -> Notification:
    due_at = timezone.now() + timedelta(minutes=5)
    values = {"tries": 2, "error": "The mail server returned 451.", "due_at": due_at} | fields
    return Notification.objects.create(
        pk=uuid4(), channel=channel, owner=owner, content={}, **values
    )


@pytest.mark.parametrize(
    ("fields", "is_firing"),
    [({}, True), ({"tries": 1}, False), ({"error": ""}, False), ({"state": "failed"}, False)],
)
def test_mails_that_fail_and_are_tried_again(
    alice: User, fields: dict[str, Any], is_firing: bool
) -> None:
    failing_message("email", alice, **fields)

    sentence = "Messages that failed at least twice: 1. None was sent since."
    assert firing() == ({("outbox-stuck", "email"): sentence} if is_firing else {})


def test_a_mail_that_fails_while_others_are_sent(alice: User) -> None:
    failing_message("email", alice)
    failing_message("email", alice, state="sent", sent_at=timezone.now())

    assert firing() == {}


def test_webhooks_that_fail(alice: User) -> None:
    failing_message("webhook", alice), failing_message("webhook", alice)
    failing_message("webhook", UserFactory())
    assert firing() == {}, "the receivers of two owners are their own business"

    failing_message("webhook", UserFactory())
    assert list(firing()) == [("outbox-stuck", "webhook")]

    failing_message("webhook", alice, state="sent", sent_at=timezone.now())
    assert firing() == {}

    failing_message("webhook", None)  # of the operators
    assert list(firing()) == [("outbox-stuck", "webhook")]


def test_a_rule_that_fails_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: ServiceState) -> Any:
        raise ValueError("a bug")

    stop_reports("worker")
    found = find_firing_alerts(ServiceState(), [AlertRule("broken", "Broken", broken), *RULES])

    assert ("no-workers", "") in found
    assert "an alert rule failed" in caplog.text


def at(moment: datetime) -> Any:
    """Check the alerts at that moment."""
    with patch.object(alerts, "try_transaction_lock", return_value=(moment, True)):
        return check_alerts()


def test_operators_are_notified_once_and_when_it_is_resolved(settings: Any) -> None:
    settings.OPERATOR_WEBHOOK = "https://hooks.example.org/alerts"
    now = timezone.now()
    stop_reports("worker")
    ServiceProcess.objects.filter(role="worker").update(name="")  # one alert: no-workers
    ServiceProcess.objects.all().filter(role="worker").delete()

    counts = [at(now + timedelta(seconds=seconds)) for seconds in (0, 20, 31, 40, 600)]
    assert counts == [0, 0, 2, 0, 0]
    ServiceProcess.objects.report("worker", "w3@host")
    counts = [at(now + timedelta(seconds=seconds)) for seconds in (630, 659, 661, 700)]
    assert counts == [0, 0, 2, 0]

    alert = Alert.objects.get()
    assert (alert.rule, alert.since, alert.resolved_at) == (
        "no-workers", now, now + timedelta(seconds=661)
    )  # fmt: skip
    assert [each.to for each in Notification.objects.order_by("created_at", "channel")] == [
        ", ".join(OPERATORS), settings.OPERATOR_WEBHOOK
    ] * 2  # fmt: skip


def test_an_alert_that_flaps_is_sent_once() -> None:
    now = timezone.now()
    ServiceProcess.objects.filter(role="worker").delete()
    for seconds in range(0, 600, 10):
        if seconds % 50 == 0:
            ServiceProcess.objects.report("worker", "w1@host")
        elif seconds % 50 == 10:
            ServiceProcess.objects.filter(role="worker").delete()
        at(now + timedelta(seconds=seconds))

    assert Alert.objects.count() == 1
    assert Notification.objects.count() == 1


def test_an_alert_fires_only_if_its_rule_has_held_meanwhile() -> None:
    """Such as before an outage of the database, and for a moment after it."""
    now = timezone.now()
    ServiceProcess.objects.filter(role="worker").delete()
    at(now)

    counts = [at(now + timedelta(seconds=seconds)) for seconds in (51, 61, 71, 82)]

    assert counts == [0, 0, 0, 1]
    assert Alert.objects.get().since == now + timedelta(seconds=51)


def test_an_alert_that_is_resolved_before_it_was_sent_is_never_sent() -> None:
    now = timezone.now()
    ServiceProcess.objects.filter(role="worker").delete()
    at(now)
    ServiceProcess.objects.report("worker", "w1@host")
    at(now + timedelta(seconds=70))

    assert Alert.objects.get().resolved_at
    assert not Notification.objects.exists()


def test_alerts_are_recorded_without_anybody_to_notify(settings: Any) -> None:
    settings.OPERATOR_EMAILS = []
    now = timezone.now()
    ServiceProcess.objects.filter(role="worker").delete()

    counts = [at(now + timedelta(seconds=seconds)) for seconds in (0, 20, 40)]
    alert = Alert.objects.get()
    assert (counts, alert.since, alert.notified_at) == ([0, 0, 0], now, None)

    settings.OPERATOR_EMAILS = OPERATORS
    assert at(now + timedelta(seconds=60)) == 1


def test_the_mails_when_an_alert_fires_and_is_resolved() -> None:
    JobFactory(kind="remote", available_at=timezone.now() - timedelta(seconds=100))
    now = timezone.now()
    at(now)
    JobFactory._meta.model.objects.all().delete()
    at(now + timedelta(seconds=61))

    for notification in Notification.objects.order_by("created_at"):
        send_mail_message(notification)

    firing_mail, resolved_mail = mail.outbox
    assert firing_mail.to == OPERATORS
    assert firing_mail.subject == "Alert: Jobs wait too long: remote"
    assert "Jobs due: 1. The oldest has waited for 2\u00a0min." in firing_mail.body
    assert "docs/runbook/jobs-wait-too-long.md" in firing_mail.body
    assert resolved_mail.subject == "Resolved: Jobs wait too long: remote"
    assert ", until " in resolved_mail.body


@pytest.mark.django_db(transaction=True)
def test_the_webhook_is_signed_with_the_secret_of_the_settings(settings: Any) -> None:
    settings.OPERATOR_EMAILS = []
    settings.OPERATOR_WEBHOOK = "https://hooks.example.org/alerts"
    settings.OPERATOR_WEBHOOK_SECRET = "whsec_" + "c2VjcmV0" * 4
    ServiceProcess.objects.filter(role="dispatcher").update(tick_seconds=11)
    now = timezone.now()
    at(now)
    at(now + timedelta(seconds=20))
    at(now + timedelta(seconds=31))

    notification = Notification.objects.get()
    body = webhook_body(notification)
    with patch("jobs.notifications.webhook.post_outbound") as post:
        post.return_value.status, post.return_value.body = 200, b""
        stand_in_for_dispatchers()
        assert not post.called  # a dispatcher is running

        alerts.send_due_alerts()

    to, sent, headers = post.call_args.args
    assert (to, sent) == (settings.OPERATOR_WEBHOOK, body)
    message = json.loads(body)
    assert (message["type"], message["data"]["rule"]) == ("alert.firing", "dispatcher-slow")
    assert headers["webhook-signature"] == webhook_signature(
        settings.OPERATOR_WEBHOOK_SECRET,
        headers["webhook-id"], int(headers["webhook-timestamp"]), body,
    )  # fmt: skip
    notification.refresh_from_db()
    assert notification.state == "sent"


@pytest.mark.django_db(transaction=True)
def test_a_worker_tells_that_no_dispatcher_is_running() -> None:
    ServiceProcess.objects.filter(role="dispatcher").delete()
    stand_in_for_dispatchers()
    Alert.objects.update(since=timezone.now() - timedelta(seconds=31))

    stand_in_for_dispatchers()
    stand_in_for_dispatchers()

    assert [each.subject for each in mail.outbox] == ["Alert: No dispatchers"]
    assert Notification.objects.get().state == "sent"


def test_the_messages_about_the_database_need_no_database(
    monkeypatch: pytest.MonkeyPatch, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.OPERATOR_WEBHOOK = "https://hooks.example.org/alerts"
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    watch = DatabaseWatch()
    with (
        patch("jobs.notifications.webhook.post_outbound") as post,
        django_assert_num_queries(0),
    ):
        post.return_value.status, post.return_value.body = 200, b""
        for seconds in (0, 10, 29, 31, 60):
            clock[0] = 100.0 + seconds
            watch.failed()
        watch.worked()
        watch.worked()

    assert [each.subject for each in mail.outbox] == [
        "Alert: A server is down: database",
        "Resolved: A server is down: database",
    ]
    webhooks = [json.loads(call.args[1]) for call in post.call_args_list]
    assert [each["type"] for each in webhooks] == ["alert.firing", "alert.resolved"]
    since, resolved_at = (
        datetime.fromisoformat(webhooks[1]["data"][name]) for name in ("since", "resolvedAt")
    )
    assert resolved_at - since == timedelta(seconds=60)


def test_a_message_about_the_database_that_fails_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.OPERATOR_WEBHOOK = "https://hooks.example.org/alerts"
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    watch = DatabaseWatch()
    with patch("jobs.notifications.webhook.post_outbound") as post:
        post.return_value.body = b""
        for seconds, status in ((0, 503), (31, 503), (41, 200), (51, 200)):
            clock[0], post.return_value.status = 100.0 + seconds, status
            watch.failed()

    assert post.call_count == 2
    assert len(mail.outbox) == 1, "the mail was sent the first time"


def test_a_database_that_is_down_is_not_taken_for_a_rule_that_fails() -> None:
    with (
        patch("jobs.engine.figures.processes_by_role", side_effect=OperationalError),
        pytest.raises(OperationalError),
    ):
        firing()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_has_a_page_that_says_what_to_do(rule: AlertRule) -> None:
    page = (ROOT / "docs/runbook" / f"{rule.name}.md").read_text()

    assert page.startswith(f"# {rule.title}\n")
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == ["## What it means", "## What to look at", "## What to do"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_is_fired_by_its_fault_in_the_fault_suite(rule: AlertRule) -> None:
    assert rule.name in (ROOT / "tests/faults/test_alerts.py").read_text()
