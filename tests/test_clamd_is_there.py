"""How a machine gets the virus scanner for these tests, and what happens if it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import clamd

SENTENCE = "The virus tests are skipped without clamd. Install Debian's clamav-daemon.\n"


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all programs of a machine; it is empty at first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(clamd, "SYSTEM_PROGRAMS", str(tmp_path / "sbin"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv(clamd.IS_REQUIRED, raising=False)
    return tmp_path


def put(program: Path, script: str = "") -> None:
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_it_is_installed_if_allowed(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(programs / "apt-get", f"echo $@ >> {programs}/log")

    clamd.main()

    assert "install --no-install-recommends clamav-daemon" in (programs / "log").read_text()
    assert capsys.readouterr().out == ""


def test_the_message_names_the_missing_package(capsys: pytest.CaptureFixture[str]) -> None:
    clamd.main()

    assert capsys.readouterr().out == SENTENCE


def test_nothing_is_installed_if_it_is_there(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(programs / "sbin/clamd")

    clamd.main()

    assert capsys.readouterr().out == ""
    assert clamd.path() == str(programs / "sbin/clamd")


def test_tests_without_it_are_skipped() -> None:
    with pytest.raises(pytest.skip.Exception):
        clamd.path()


def test_tests_without_it_fail_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clamd.IS_REQUIRED, "1")

    with pytest.raises(pytest.fail.Exception):
        clamd.path()
