"""Servers that handle ranges wrongly behave on the wire as their names say."""

from __future__ import annotations

import sys

from tests.hostile import lies
from tests.hostile.modes import MODES
from tests.hostile.visit import SIZE, Visit, covered_by, covers, expected


@covers("honest")
def test_a_correct_server(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 1000))
    assert answer.headers["Content-Range"] == f"bytes 1000-1999/{SIZE}"
    assert answer.headers["ETag"] == f'"1-{SIZE}"'
    assert "Last-Modified" in answer.headers


@covers("empty", "one-byte")
def test_the_smallest_files(visit: Visit, mode: str) -> None:
    size = MODES[mode].size

    assert visit.ask(None).body == expected(0, size)
    assert visit.ask("0-0").status == (206 if size else 416)
    assert visit.ask("1-1").status == 416


@covers("no-ranges", "claims-ranges")
def test_ranges_are_ignored(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (200, expected(0, SIZE))
    assert answer.headers["Accept-Ranges"] == ("none" if mode == "no-ranges" else "bytes")


@covers("ranges-once")
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


@covers(*CONTENT_RANGES)
def test_content_range_is_wrong(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 1000))
    assert answer.headers["Content-Range"] == CONTENT_RANGES[mode]


@covers("range-shorter", "range-shorter-than-said")
def test_the_body_is_half_of_the_range(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 500))
    last = 1499 if mode == "range-shorter" else 1999
    assert answer.headers["Content-Range"] == f"bytes 1000-{last}/{SIZE}"


@covers("range-as-multipart")
def test_a_single_range_is_sent_as_multipart(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert answer.headers["Content-Type"].startswith("multipart/byteranges")
    assert answer.body.startswith(b"--edge\r\nContent-Range: bytes 1000-1999/")
    assert answer.body.endswith(expected(1000, 1000) + b"\r\n--edge--\r\n")
    assert answer.rest == b""


@covers("range-unasked")
def test_a_part_is_sent_without_a_range(visit: Visit, mode: str) -> None:
    answer = visit.ask(None)

    assert (answer.status, answer.body) == (206, expected(0, SIZE // 2))


@covers("range-refused")
def test_every_range_is_refused_but_not_the_file(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */7")
    assert visit.ask(None).body == expected(0, SIZE)


def test_every_mode_is_covered() -> None:
    assert covered_by(sys.modules[__name__]) == {"honest", "empty", "one-byte", *lies.MODES}
