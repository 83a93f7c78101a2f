"""The progress display: a bar that fits the terminal, and few lines without one."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from downloads_client.progress import BarDisplay, LineDisplay, ProgressDisplay, display_for
from downloads_client.progress.view import ProgressView, fit_view_columns
from downloads_client.service_responses import ApiResponse, JobResponse
from tests.client.fake import JOB_ID, job


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def a_job(status: str = "processing", **fields: Any) -> JobResponse:
    return JobResponse.of(ApiResponse(200, {}, json.dumps(job(status, **fields)).encode()))


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)

    assert isinstance(display_for(Tty(), quiet=False), LineDisplay)


def test_the_display_suits_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")  # it forces colours, but makes no terminal of a log

    assert isinstance(display_for(Tty(), quiet=False), BarDisplay)
    assert isinstance(display_for(io.StringIO(), quiet=False), LineDisplay)
    assert type(display_for(Tty(), quiet=True)) is ProgressDisplay


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until a test sets it."""
    at = [100.0]
    monkeypatch.setattr("downloads_client.progress.display.time.monotonic", lambda: at[0])
    return at


def test_lines_are_printed_at_most_once_a_second_and_only_when_something_changed(
    now: list[float],
) -> None:
    out = io.StringIO()
    lines = LineDisplay(out)

    for tenth in range(100):  # ten seconds: five that move on, five that do not
        now[0] = 100 + tenth / 10
        lines.show_job(
            a_job(progress=min(tenth, 50) / 100, done=min(tenth, 50) * 1000, total=100_000)
        )

    shown = out.getvalue().splitlines()
    assert len(shown) == 6
    assert shown[0] == "Making    0%  0 B of 100 kB  Adding"
    assert shown[3] == "Making   30%  30 kB of 100 kB  10 kB/s  0:08 left  Adding"


def test_a_retry_is_one_line_however_often_it_is_repeated(now: list[float]) -> None:
    out = io.StringIO()
    lines = LineDisplay(out)

    for _ in range(5):
        lines.show_retry("It does not answer.", 2)

    assert out.getvalue() == "It does not answer. Retrying...\n"


def test_the_services_estimate_is_shown_while_nothing_moves(now: list[float]) -> None:
    out = io.StringIO()
    lines = LineDisplay(out)

    lines.show_job(
        a_job("queued", progress=0, done=0, message="Waiting", estimatedSecondsRemaining=72)
    )

    assert out.getvalue() == "Making    0%  0 B of 100 B  1:12 left  Waiting\n"


def test_a_job_waiting_for_a_retry_shows_its_last_error(now: list[float]) -> None:
    out = io.StringIO()

    LineDisplay(out).show_job(a_job("queued", message="Waiting to retry", lastError="No store."))

    assert out.getvalue().endswith("Waiting to retry: No store.\n")


def test_a_waiting_job_shows_once_what_it_waits_for(now: list[float]) -> None:
    out = io.StringIO()
    lines = LineDisplay(out)
    after = [JOB_ID, JOB_ID]

    for minute in range(60):
        now[0] = 100 + minute * 60
        lines.show_job(a_job("queued", done=0, after=after, message="Waiting"))
    now[0] += 60
    lines.show_job(a_job("queued", done=0, runAt="2999-11-23T06:00:00Z", message="Waiting"))
    now[0] += 60
    lines.show_job(a_job("queued", done=0, runAt="2020-11-23T06:00:00Z", message="Waiting"))

    assert out.getvalue().splitlines() == [
        "Waiting  Depends on 2 downloads",
        "Waiting  Starts at 06:00 on 23 November (UTC)",
        "Making   40%  0 B of 100 B  Waiting",
    ]


def test_the_bar_of_a_waiting_job_does_not_move() -> None:
    out = Tty()

    with BarDisplay(out) as bar:
        bar.show_job(a_job("queued", done=0, runAt="2999-11-23T06:00:00Z"))

    drawn = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", out.getvalue())
    assert re.match(r"Waiting ━+ *\r?\nStarts at 06:00 on 23 November \(UTC\)", drawn), drawn


def test_a_report_never_shows_bytes(now: list[float]) -> None:
    out = io.StringIO()
    lines = LineDisplay(out)
    of_a_report = {"kind": "report", "unit": "jobs"}

    # The unit is known only once the work has begun.
    lines.show_job(
        a_job("queued", kind="report", done=0, total=None, progress=0, message="Waiting")
    )
    for second in range(1, 4):
        now[0] = 100 + second
        done = second * 3_000
        progress = done / 12_000
        lines.show_job(
            a_job(**of_a_report, done=done, total=12_000, progress=progress, speed=3_000)
        )

    assert out.getvalue().splitlines() == [
        "Making  Waiting",
        "Making   25%  3,000 of 12,000 jobs  0:03 left  Adding",
        "Making   50%  6,000 of 12,000 jobs  0:02 left  Adding",
        "Making   75%  9,000 of 12,000 jobs  0:01 left  Adding",
    ]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"unit": "bytes", "done": 0, "total": None, "progress": 0}, "Making ━+ *\r?\nWaiting"),
        ({"unit": "jobs", "done": 0, "total": 0, "progress": 0}, r"Making ━+ +0% 0 jobs"),
        ({"unit": "jobs", "done": 3, "total": 12, "progress": 0.25}, r"━ +25% 3 of 12 jobs *\r?\n"),
    ],
)
def test_the_bar_of_a_report_counts_jobs(fields: dict[str, Any], shown: str) -> None:
    out = Tty()

    with BarDisplay(out) as bar:
        bar.show_job(a_job(kind="report", message="Waiting", **fields))

    assert re.search(shown, re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", out.getvalue()))


def test_other_units_and_no_total_are_shown_too(now: list[float]) -> None:
    out = io.StringIO()

    LineDisplay(out).show_job(a_job(done=3, total=7, unit="pages"))
    LineDisplay(out).show_job(a_job(done=3, total=None, unit="pages"))

    assert "3 of 7 pages" in out.getvalue()
    assert "3 pages" in out.getvalue()


def test_without_a_total_neither_percent_nor_total_is_shown(now: list[float]) -> None:
    out = io.StringIO()
    unknown = {"kind": "remote", "total": None, "progress": 0, "estimatedSecondsRemaining": None}

    LineDisplay(out).show_job(
        a_job(**unknown, done=3_100_000, speed=1_200_000, threads=4, message="Fetching")
    )
    LineDisplay(out).show_job(a_job("queued", **unknown, done=0, message="Waiting"))

    assert out.getvalue().splitlines() == [
        "Storing  3.1 MB  1.2 MB/s  4 connections  Fetching",
        "Storing  Waiting",
    ]


def test_the_total_is_shown_once_it_is_known(now: list[float]) -> None:
    out = io.StringIO()
    lines = LineDisplay(out)

    lines.show_job(a_job(kind="remote", total=None, progress=0, done=20, threads=1))
    now[0] += 1
    lines.show_job(a_job(kind="remote", total=100, progress=0.4, done=40, threads=1))

    assert out.getvalue().splitlines() == [
        "Storing  20 B  1 connection  Adding",
        "Storing   40%  40 B of 100 B  20 B/s  1 connection  0:03 left  Adding",
    ]


def test_lines_without_a_total_are_few_however_long_it_takes(now: list[float]) -> None:
    out = io.StringIO()
    lines = LineDisplay(out)

    for second in range(3_600):
        now[0] = 100 + second
        lines.show_job(a_job(total=None, progress=0, done=second * 1_000_000))

    assert 100 < len(out.getvalue().splitlines()) < 400


def test_the_bar_without_a_total_has_no_percent() -> None:
    out = Tty()

    with BarDisplay(out) as bar:
        bar.show_job(a_job(kind="remote", total=None, progress=0, done=3_100_000, threads=4))

    drawn = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", out.getvalue())
    assert "Storing ━━" in drawn
    assert "━ 3.1 MB 4 connections" in drawn
    assert "%" not in drawn


def test_a_closed_pipe_does_not_stop_the_download() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    LineDisplay(Closed()).print_line("anything")


def test_the_least_important_columns_are_left_out_first() -> None:
    view = ProgressView("Making", 0.5, "29.5 MB of 59.1 MB", "20.1 MB/s", left="0:02 left")
    pieces = [" 50%", "29.5 MB of 59.1 MB", "20.1 MB/s", "0:02 left"]

    assert fit_view_columns(view, 60) == pieces
    assert fit_view_columns(view, 40) == [pieces[0], pieces[1], pieces[3]]
    assert fit_view_columns(view, 15) == [pieces[0], pieces[3]]
    assert fit_view_columns(view, 0) == [pieces[0]]


def test_without_a_total_the_amount_is_the_most_important_column() -> None:
    view = ProgressView("Storing", None, "3.1 MB", "1.2 MB/s", "4 connections")

    assert fit_view_columns(view, 60) == ["3.1 MB", "1.2 MB/s", "4 connections"]
    assert fit_view_columns(view, 16) == ["3.1 MB", "1.2 MB/s"]
    assert fit_view_columns(view, 0) == ["3.1 MB"]
