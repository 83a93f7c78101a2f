"""Tracebacks in logs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from jobs.lib.log_lines import LineFormat
from jobs.lib.logs import configure_logs

LOGGERS: dict[str, Callable[[str], Any]] = {
    "logging": logging.getLogger,
    "structlog": structlog.get_logger,
}


@pytest.mark.parametrize("json", [True, False], ids=["production", "development"])
@pytest.mark.parametrize("logger", LOGGERS)
def test_traceback_has_no_local_variables(
    logger: str, json: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LineFormat, "is_json", LineFormat.is_json)  # which this changes
    before = logging.getLogger().handlers[:]
    try:
        configure_logs({"json": json, "level": "INFO", "packages": [], "sentry": {"dsn": ""}})
        _log_an_error(LOGGERS[logger]("jobs"), "whsec_secret")
    finally:
        logging.getLogger().handlers[:] = before

    output = capsys.readouterr().err
    assert "cannot sign" in output
    assert "_sign" in output  # the innermost frame
    assert "whsec_secret" not in output


def _log_an_error(log: Any, secret: str) -> None:
    try:
        _sign(secret)
    except ValueError:
        log.exception("request failed")


def _sign(secret: str) -> None:
    raise ValueError("cannot sign")
