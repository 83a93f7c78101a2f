"""Test the kinds of examples/orders with the fixtures of jobs.testing.pytest_plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from orders.kinds import NoOrders, OrderExport
from orders.models import Order

from jobs.testing.pytest_plugin import job_owner, run_kind, run_kind_job  # noqa: F401
from tests.live import ROOT


def test_the_export_has_the_orders_of_its_owner(  # docs/test-kinds.md has the same
    job_owner: User,  # noqa: F811
    run_kind: Callable[..., Any],  # noqa: F811
) -> None:
    Order.objects.create(owner=job_owner, placed_at="2025-05-01T08:00Z", total=7)

    result = run_kind(OrderExport, year=2025)

    assert b"7.00" in result.content
    assert result.progress[-1] == (1, 1, "orders")


def test_a_year_without_orders_fails(run_kind: Callable[..., Any]) -> None:  # noqa: F811
    with pytest.raises(NoOrders):
        run_kind(OrderExport, year=2001)


def test_a_conftest_names_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["jobs.testing.pytest_plugin"]\n')
    (tmp_path / "test_none.py").write_text("def test_none(run_kind, run_kind_job): ...\n")
    options = ["-c", "/dev/null", "--rootdir", str(tmp_path), "--fixtures"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "downloads_project.settings"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "run_kind --" in done.stdout


def test_an_attempt_stores_the_file(
    job_owner: User,  # noqa: F811
    run_kind_job: Callable[..., Any],  # noqa: F811
    add_kinds: Callable[..., None],
    made_bucket: None,
    broker: Any,
) -> None:
    add_kinds("orders.kinds.OrderExport")
    Order.objects.create(owner=job_owner, placed_at="2025-05-01T08:00Z", total=7)

    finished = run_kind_job(OrderExport, year=2025)

    assert finished.job.status == "completed", finished.job.error
    assert finished.content
