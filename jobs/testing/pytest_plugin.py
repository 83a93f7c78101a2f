"""Fixtures of pytest for tests of a kind: `pytest_plugins = ["jobs.testing.pytest_plugin"]`.

pytest imports this before Django is set up, so the fixtures import what they use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.testing.runs import FinishedRun, Result


@pytest.fixture
def job_owner(db: None) -> User:
    """Return the user whose jobs the other fixtures run."""
    from django.contrib.auth.models import User

    return User.objects.create_user("job-owner", "owner@example.org")


@pytest.fixture
def run_kind(job_owner: User) -> Callable[..., Result]:
    """Return `jobs.testing.run` for the owner: `run_kind(OrderExport, year=2025)`."""
    from jobs.testing import run

    return partial(run, owner=job_owner)


@pytest.fixture
def run_kind_job(transactional_db: None, job_owner: User) -> Callable[..., FinishedRun]:
    """Return `jobs.testing.run_job` for the owner: one attempt on the real servers."""
    from jobs.testing import run_job

    return partial(run_job, owner=job_owner)
