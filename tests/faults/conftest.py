"""The rig of each case, and the table that `make faults` prints at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from downloads_project.local.stack import Stack
from tests.faults.alert_table import alert_table

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.models import StoredFile
    from tests.faults.rig import Figure, Rig

# Set by `make faults`. Only there do the bounds count: other tests would disturb the timing.
REPORT = os.environ.get("FAULTS_JSON", "")


@pytest.fixture
def catalogue(bucket: Any, transactional_db: None) -> list[StoredFile]:
    from tests.faults.catalogue import fill

    return fill()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[list[Figure]]:
    """Collect the figures of a case. With `make faults`, it fails if one exceeds its bound."""
    found: list[Figure] = []
    yield found
    properties = request.node.user_properties
    properties.append(("done", " ".join(request.function.__doc__.split())))
    properties.extend(("figure", vars(figure)) for figure in found)
    over = [f for f in found if f.bound is not None and f.value > f.bound]
    assert not (REPORT and over), f"over the bound: {over}"


@pytest.fixture
def rig(
    tmp_path: Path,
    stack: Stack,
    alice: User,
    catalogue: list[StoredFile],
    figures: list[Figure],
) -> Iterator[Rig]:
    """Start the servers only, with a session of Alice."""
    from tests.faults.rig import Rig

    rig = Rig(tmp_path, stack, {})
    rig.sign_in(alice)
    try:
        yield rig
    finally:
        rig.stop()
    figures.extend(rig.figures)
    assert rig.was_judged, "a case ends with rig.judge()"


@pytest.fixture
def service(rig: Rig) -> Rig:
    """Start web and dispatcher. A case starts its own workers."""
    rig.start("dispatcher")
    rig.start("web")
    return rig


class Table:
    """One row per case, from the reports of all test processes."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        case = report.nodeid.rpartition("::")[2].removeprefix("test_")
        new = {"case": case, "done": "", "held": True, "figures": [], "seconds": 0.0}
        row = self.rows.setdefault(case, new)
        row["held"] &= report.passed
        row["seconds"] = round(row["seconds"] + report.duration, 1)
        if report.when == "teardown":
            row["done"] = dict(report.user_properties).get("done", "")
            row["figures"] = [value for name, value in report.user_properties if name == "figure"]

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.rows:
            return
        terminalreporter.section("faults")
        for row in sorted(self.rows.values(), key=lambda row: str(row["case"])):
            terminalreporter.line(_row_text(row))
        for line in alert_table(figure for row in self.rows.values() for figure in row["figures"]):
            terminalreporter.line(line)
        held = sum(row["held"] for row in self.rows.values())
        terminalreporter.line(f"\n{held} of {len(self.rows)} cases held")
        Path(REPORT).write_text(json.dumps(list(map(_flat, self.rows.values())), indent=1) + "\n")


def _row_text(row: dict[str, Any]) -> str:
    figures = [_figure_text(figure) for figure in row["figures"]]
    held = "held  " if row["held"] else "FAILED"
    result = f"{held} {row['case']:<50} {row['seconds']:>6.1f} s  {'; '.join(figures)}"

    return f"{result}\n       {row['done']}"


def _figure_text(figure: dict[str, Any]) -> str:
    bound = "" if figure["bound"] is None else f" (at most {figure['bound']})"
    return f"{figure['what']} {figure['value']} {figure['unit']}{bound}"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row for the table file: the first figure in columns, then the others."""
    first = row["figures"][0] if row["figures"] else {"what": None, "value": None, "bound": None}
    return {
        "case": row["case"],
        "done": row["done"],
        "held": row["held"],
        "figure": first["value"],
        "what": first["what"],
        "bound": first["bound"],
        "figures": row["figures"],
        "seconds": row["seconds"],
    }


def pytest_configure(config: pytest.Config) -> None:
    if REPORT and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(), "faults")
