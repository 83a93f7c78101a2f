"""`make bench` calculates its figures correctly, and leaves nothing running."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.bench import processor_time
from benchmarks.bench.bars import NOT_MEASURED, NOT_REACHED, REACHED, Bar
from benchmarks.bench.cases import CASES
from benchmarks.bench.cases.watchers import Watcher
from benchmarks.bench.command_line import BEGIN, END, write_figures
from benchmarks.bench.contenders.processes import suspended
from benchmarks.bench.figures import (
    P50,
    PROCESSOR_TIME,
    RATE,
    NotMeasured,
    Result,
    Round,
    Row,
    compare,
    percentile,
)
from benchmarks.bench.report import Report, with_range
from downloads_project.processes import Process
from tests.live import ROOT, until

BURN = "import time\nwhile time.process_time() < 0.4: pass"
# Starts a child that uses the processor and ends, waits for it, and continues.
PARENT = f"""
import subprocess, sys, time
subprocess.run([sys.executable, "-c", {BURN!r}])
print("over", flush=True)
time.sleep(60)
"""


def row(ours: list[float], theirs: list[float]) -> Row:
    return Row(PROCESSOR_TIME, "ms", {"service": ours, "peer": theirs})


def test_the_ratio_is_the_median_of_the_ratios_of_rounds() -> None:
    # In the second round the machine was slow for both.
    slow_for_both = row([1.0, 30.0, 2.0], [1.0, 10.0, 1.0])

    assert slow_for_both.ratios("peer") == [1.0, 3.0, 2.0]
    bar = Bar("poll", PROCESSOR_TIME, 2, divisor="peer")
    assert bar.measured({"poll": Result([slow_for_both])}) == 2.0
    assert slow_for_both.median("service") / slow_for_both.median("peer") == 2.0
    assert with_range(slow_for_both.ratios("peer")) == "2 (1 to 3)"


def test_a_ratio_to_zero_is_left_out() -> None:
    assert row([1.0, 2.0], [0.0, 4.0]).ratios("peer") == [0.5]


def test_contenders_are_measured_in_turns() -> None:
    turns: list[str] = []

    def measure(name: str) -> Round:
        turns.append(name)
        return Round(100, 2.0, {"web": 300.0, "postgres": 100.0}, p50_ms=5, p99_ms=9)

    result = compare({"service": lambda: measure("A"), "peer": lambda: measure("B")}, 3)

    assert turns == ["A", "B", "A", "B", "A", "B"]
    processor, rate = result.row(PROCESSOR_TIME), result.row(RATE)
    assert processor
    assert rate
    assert processor.values["service"] == [4.0, 4.0, 4.0]
    assert rate.median("peer") == 50
    assert result.shares["peer"] == {"web": 3.0, "postgres": 1.0}


def test_without_responses_there_are_no_percentiles() -> None:
    result = compare({"service": lambda: Round(10, 1.0, {"worker": 5.0})}, 1)

    assert result.row(P50) is None


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100)])
def test_percentiles_are_of_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_a_percentile_of_few_values_is_one_of_them() -> None:
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    with pytest.raises(NotMeasured):
        percentile([], 0.5)


def test_the_time_of_a_child_that_died_is_counted(tmp_path: Path) -> None:
    parent = Process("parent", [sys.executable, "-c", PARENT], tmp_path / "log")
    parent.start()
    try:
        until(lambda: "over" in parent.log.read_text())
        roots = {"parent": [parent.popen.pid]}
        assert processor_time.tree(parent.popen.pid) == [parent.popen.pid]

        used = processor_time.read(roots)

        assert used["parent"] >= 390
    finally:
        parent.popen.kill()
        parent.popen.wait()


def test_a_process_tree_is_found_whatever_its_names(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    shutil.copy(shutil.which("sleep") or "", program)
    with subprocess.Popen(["sh", "-c", f"'{program}' 60 & wait"], start_new_session=True) as shell:
        try:
            until(lambda: len(processor_time.tree(shell.pid)) == 2)
            assert processor_time.memory_kib(shell.pid) > 0
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


def test_a_suspended_process_continues_after_an_error(tmp_path: Path) -> None:
    process = Process("sleep", ["sleep", "60"], tmp_path / "log")
    process.start()
    try:
        with suppress(NotMeasured), suspended([process]):
            until(lambda: state(process.popen.pid) == "T")
            raise NotMeasured

        until(lambda: state(process.popen.pid) == "S")
    finally:
        process.popen.kill()
        process.popen.wait()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.2, f"{REACHED}, and the aim"), (0.5, REACHED), (0.9, NOT_REACHED)]
)
def test_a_bar_is_reached_or_not(value: float, verdict: str) -> None:
    results = {"poll": Result([row([value], [1.0])])}

    assert Bar("poll", PROCESSOR_TIME, 0.8, 0.25, "peer").verdict(results) == verdict


def test_a_lower_bar_is_reached_or_not() -> None:
    results = {"flood": Result([Row(RATE, "/s", {"service": [1_200.0]})])}

    assert Bar("flood", RATE, 1_000, at_least=True).verdict(results) == REACHED
    assert Bar("flood", RATE, 1_500, at_least=True).verdict(results) == NOT_REACHED


def test_a_missing_figure_does_not_reach_its_bar() -> None:
    alone = {"poll": Result([Row(PROCESSOR_TIME, "ms", {"service": [1.0]})])}

    assert Bar("poll", PROCESSOR_TIME, 0.8, divisor="peer").verdict(alone) == NOT_MEASURED
    assert Bar("poll", PROCESSOR_TIME, 0.8, divisor="peer").verdict({}) == NOT_MEASURED


def test_figures_are_written_between_the_markers(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(f"before\n{BEGIN}old\n{END}after\n")
    report = Report({"processor": "2 × any"}, {"poll": "What does a poll cost?"})
    report.results["poll"] = Result([row([0.5], [1.0])])

    write_figures(document, report.markdown())

    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}")
    assert text.endswith(f"{END}after\n")
    assert "old" not in text
    assert "What does a poll cost?" in text
    json.dumps(report.json())  # the whole report can be written


def test_a_watcher_records_the_times_of_events_after_the_first() -> None:
    arrivals: dict[str, list[float]] = {"a job": []}
    watcher = Watcher("a job", b"", arrivals)

    watcher.data_received(b"HTTP/1.1 200 OK\r\n\r\ndata: {}\n\n")
    watcher.data_received(b": nothing new\n\n")
    assert arrivals == {"a job": []}
    watcher.data_received(b'data: {"status": "cancelled"}\n\n')

    assert watcher.events == 2
    assert len(arrivals["a job"]) == 1


def test_each_case_states_its_question() -> None:
    assert all(case.__doc__ for case in CASES.values())


def test_the_peers_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (ROOT / "benchmarks/peer/package-lock.json").read_text()


def test_nothing_is_left_after_an_interruption(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "benchmarks.bench", "--smoke", "idle", "poll"]
    bench = Process("bench", command, log, {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)})
    bench.start()
    try:
        until(lambda: " is up" in log.read_text(), 240, log.read_text)
        started = processor_time.tree(bench.popen.pid)[1:]
        assert len(started) > 5

        bench.popen.send_signal(signal.SIGINT)
        bench.popen.wait(60)

        deadline = time.monotonic() + 10
        while alive := [pid for pid in started if Path(f"/proc/{pid}").exists()]:
            assert time.monotonic() < deadline, f"{alive} still run\n{log.read_text()}"
            time.sleep(0.1)
    finally:
        bench.ask_to_stop()
        bench.end(30)


def test_bench_fair_measures_all_of_its_cases(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    log = tmp_path / "log"
    command = [sys.executable, "-m", "benchmarks.fair", "--smoke", "--json", str(figures)]
    bench = Process("bench", command, log, {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)})
    bench.start()
    try:
        bench.popen.wait(400)
    finally:
        bench.ask_to_stop()
        bench.end(30)

    assert bench.popen.returncode == 0, log.read_text()
    measured = json.loads(figures.read_text())
    assert set(measured["cases"]) == {"claims", "quiet-owners", "shares", "limits"}
    assert NOT_MEASURED not in {bar["verdict"] for bar in measured["bars"]}
