"""Servers that do ranges wrongly really do on the wire what their names say."""

from __future__ import annotations

import sys

from tests.hostile import lies
from tests.hostile.modes import MODES
from tests.hostile.visit import SIZE, Visit, expected, shown_by, shows


@shows("honest")
def test_a_good_server(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 1000))
    assert answer.headers["Content-Range"] == f"bytes 1000-1999/{SIZE}"
    assert answer.headers["ETag"] == f'"1-{SIZE}"'
    assert "Last-Modified" in answer.headers


@shows("empty", "one-byte")
def test_the_smallest_files(visit: Visit, mode: str) -> None:
    size = MODES[mode].size

    assert visit.ask(None).body == expected(0, size)
    assert visit.ask("0-0").status == (206 if size else 416)
    assert visit.ask("1-1").status == 416


@shows("no-ranges", "claims-ranges")
def test_ranges_are_ignored(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (200, expected(0, SIZE))
    assert answer.headers["Accept-Ranges"] == ("none" if mode == "no-ranges" else "bytes")


@shows("ranges-once")
def test_the_first_range_is_honoured_and_later_ones_are_not(visit: Visit, mode: str) -> None:
    one, other = visit.ask(), visit.ask()

    assert (one.status, other.status) == (206, 200)
    assert one.headers["ETag"] == other.headers["ETag"]


CONTENT_RANGES = {
    "range-shifted": f"bytes 1001-2000/{SIZE}",
    "range-of-another-total": f"bytes 1000-1999/{SIZE + 1}",
    "range-of-unknown-total": "bytes 1000-1999/*",
    "range-unsaid": None,
    "range-nonsense": "bytes many-more/all",
}


@shows(*CONTENT_RANGES)
def test_the_right_bytes_are_called_something_else(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 1000))
    assert answer.headers["Content-Range"] == CONTENT_RANGES[mode]


@shows("range-shorter", "range-shorter-than-said")
def test_less_comes_than_was_asked_for(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 500))
    last = 1499 if mode == "range-shorter" else 1999
    assert answer.headers["Content-Range"] == f"bytes 1000-{last}/{SIZE}"


@shows("range-as-multipart")
def test_one_range_comes_as_multipart(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert answer.headers["Content-Type"].startswith("multipart/byteranges")
    assert answer.body.startswith(b"--edge\r\nContent-Range: bytes 1000-1999/")
    assert answer.body.endswith(expected(1000, 1000) + b"\r\n--edge--\r\n")
    assert answer.rest == b""


@shows("range-unasked")
def test_a_part_comes_though_all_was_asked_for(visit: Visit, mode: str) -> None:
    answer = visit.ask(None)

    assert (answer.status, answer.body) == (206, expected(0, SIZE // 2))


@shows("range-refused")
def test_every_range_is_refused_and_the_file_is_not(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */7")
    assert visit.ask(None).body == expected(0, SIZE)


def test_every_mode_is_shown_here() -> None:
    assert shown_by(sys.modules[__name__]) == {"honest", "empty", "one-byte", *lies.MODES}
