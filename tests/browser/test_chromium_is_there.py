"""How a machine gets the browser for these tests, and what happens if it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser import chromium

SENTENCE = "The browser tests are skipped without Chromium. Install Debian's chromium.\n"


class Machine:
    """A machine with only the programs that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.touch()

    def has(self, name: str, script: str) -> None:
        program = self.folder / name
        program.write_text(f"#!/bin/sh\necho {name} $@ >> {self.log}\n{script}\n")
        program.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(chromium.IS_REQUIRED, raising=False)
    return Machine(tmp_path)


def be(user_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user_id)


def test_root_installs_it_after_an_update(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(0, monkeypatch)
    machine.has("apt-get", "[ $3 = install ]")  # a third-party package list is broken

    chromium.main()

    assert machine.log.read_text().splitlines() == [
        "apt-get -q -y update",
        "apt-get -q -y install --no-install-recommends chromium",
    ]
    assert capsys.readouterr().out == ""


def test_sudo_installs_it_without_a_password(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(1000, monkeypatch)
    machine.has("true", "")
    machine.has("sudo", 'shift; exec "$@"')
    machine.has("apt-get", "")

    chromium.main()

    assert "apt-get -q -y install --no-install-recommends chromium" in machine.log.read_text()


def test_no_password_is_requested(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(1000, monkeypatch)
    machine.has("sudo", "echo a password is required >&2; exit 1")
    machine.has("apt-get", "")

    chromium.main()

    assert capsys.readouterr().out == SENTENCE
    assert "apt-get" not in machine.log.read_text()


@pytest.mark.parametrize("apt", ["", "exit 100"])
def test_the_message_names_the_missing_package(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], apt: str
) -> None:
    be(0, monkeypatch)
    if apt:
        machine.has("apt-get", apt)

    chromium.main()

    assert capsys.readouterr().out == SENTENCE


def test_nothing_is_installed_if_it_is_there(machine: Machine) -> None:
    machine.has("chromium", "")
    machine.has("apt-get", "")

    chromium.main()

    assert machine.log.read_text() == ""
    assert chromium.path() == str(machine.folder / "chromium")


def test_tests_without_it_are_skipped(machine: Machine) -> None:
    with pytest.raises(pytest.skip.Exception):
        chromium.path()


def test_tests_without_it_fail_in_ci(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chromium.IS_REQUIRED, "1")

    with pytest.raises(pytest.fail.Exception):
        chromium.path()
