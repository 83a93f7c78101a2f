"""An action on many jobs in the admin: the list, the page that asks, progress, and the report."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from jobs.engine import bulk_actions
from jobs.models import bulk_action as model
from jobs.operations.admin import job_actions
from jobs.states import Status
from tests.factories import JobFactory


def test_an_operator_cancels_all_that_match_and_follows_it(
    alice_tab: Page, live_server: Any, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in (model, bulk_actions):
        monkeypatch.setattr(where, "BATCH", 30)
    monkeypatch.setattr(job_actions, "FEW", 0)
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    for n in range(60):
        JobFactory(owner=alice, status=Status.COMPLETED if n == 7 else Status.QUEUED)
    tab = alice_tab

    tab.goto(f"{live_server.url}/admin/jobs/downloadjob/")
    tab.locator("#action-toggle").check()
    tab.get_by_text("Select all 60 downloads").click()
    tab.locator("select[name=action]").select_option("Cancel")
    tab.get_by_role("button", name="Run").or_(tab.get_by_role("button", name="Go")).click()
    tab.get_by_role("button", name="Cancel: 59 downloads").click()
    expect(tab.get_by_role("status")).to_contain_text("0 of 60")
    bulk_actions.advance_bulk_action(model.BulkAction.objects.running())
    expect(tab.get_by_role("status")).to_contain_text("30 of 60")
    bulk_actions.advance_bulk_action(model.BulkAction.objects.running())

    expect(tab.get_by_role("status")).to_contain_text("Completed on")
    expect(tab.get_by_role("button", name="Stop")).to_have_count(0)
    expect(tab.get_by_text("It has completed").first).to_be_visible()
