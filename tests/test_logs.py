"""Log records of refused requests."""

from __future__ import annotations

import logging

import pytest

from jobs.lib.logs import WithoutTrace


@pytest.mark.parametrize(("logger", "has_trace"), [("security.DisallowedHost", 0), ("request", 1)])
def test_client_errors_are_logged_without_a_traceback(logger: str, has_trace: int) -> None:
    trace = (ValueError, ValueError(), None)
    record = logging.LogRecord(f"django.{logger}", logging.ERROR, "", 1, "refused", (), trace)

    assert WithoutTrace().filter(record)
    assert bool(record.exc_info) == bool(has_trace)
