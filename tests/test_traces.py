"""What a log line tells of an error."""

from __future__ import annotations

import json
import logging

import pytest

from downloads_project.logs import configure


def test_a_traceback_has_no_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    try:
        configure({"json": True, "level": "INFO"})
        _break("whsec_secret")
    finally:
        logging.getLogger().handlers[:] = before

    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert json.loads(line)["exception"][0]["frames"][-1]["name"] == "_break"
    assert "whsec_secret" not in line


def _break(secret: str) -> None:
    try:
        raise ValueError
    except ValueError:
        logging.getLogger("jobs").exception("broken")
