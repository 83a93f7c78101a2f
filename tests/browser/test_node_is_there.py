"""How a machine gets Node for examples/react, and what happens if it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import node


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all programs of a machine; it is empty at first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.delenv(node.IS_REQUIRED, raising=False)
    return tmp_path


def put(folder: Path, name: str, script: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_what_is_missing_is_installed(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(programs, "apt-get", f"echo $@ >> {programs}/log")
    put(programs, "node")

    node.main()

    assert (programs / "log").read_text().splitlines()[1:] == [
        "-q -y install --no-install-recommends npm"
    ]
    assert capsys.readouterr().out == ""


def test_the_message_names_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    node.main()

    assert "Install Debian's nodejs and npm." in capsys.readouterr().out


def test_without_it_the_tests_are_skipped_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pytest.skip.Exception):
        node.npm_path()
    monkeypatch.setenv(node.IS_REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception):
        node.npm_path()


def test_with_both_it_is_found(programs: Path) -> None:
    put(programs, "node")
    put(programs, "npm")

    assert node.npm_path() == str(programs / "npm")
