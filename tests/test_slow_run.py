"""When `make run` prints the addresses and the logins."""

from __future__ import annotations

import sys

import pytest

from downloads_project.local import run
from downloads_project.local.run import LocalRun


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what `main` does, in order, without starting anything."""
    steps: list[str] = []

    def sample_job(*_: object) -> int:
        steps.append("sample job")
        return 0

    for name in ("start", "print_addresses", "serve", "stop"):
        monkeypatch.setattr(LocalRun, name, lambda self, name=name: steps.append(name))
    monkeypatch.setattr(run, "run_sample_job", sample_job)
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["run"])
    return steps


def test_a_slow_run_prints_the_logins_first(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW", "1")

    run.main()

    assert said == ["start", "print_addresses", "sample job", "serve", "stop"]


def test_a_usual_run_prints_them_last(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLOW", raising=False)

    run.main()

    assert said == ["start", "sample job", "print_addresses", "serve", "stop"]
