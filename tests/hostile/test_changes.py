"""Files that change midway really do so on the wire, and tell as little of it as they should."""

from __future__ import annotations

import sys
from email.utils import parsedate_to_datetime

from tests.hostile import changes
from tests.hostile.visit import SIZE, Visit, expected, shown_by, shows

VALIDATORS = {
    "no-validator": (None, False),
    "weak-etag": (f'W/"1-{SIZE}"', False),
    "last-modified": (None, True),
    "last-modified-now": (None, True),
}


@shows(*VALIDATORS)
def test_little_tells_which_file_it_is(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 1000))
    assert (answer.headers["ETag"], "Last-Modified" in answer.headers) == VALIDATORS[mode]


@shows("last-modified-now")
def test_a_file_that_was_modified_in_the_second_it_is_asked_for(visit: Visit, mode: str) -> None:
    one, other = visit.ask(), visit.ask()

    modified, now = (parsedate_to_datetime(one.headers[k]) for k in ("Last-Modified", "Date"))
    assert abs((now - modified).total_seconds()) <= 1
    assert one.headers["Last-Modified"] == other.headers["Last-Modified"]


@shows("changes", "changes-halfway", "changes-in-size", "changes-unasked", "changes-hidden")
def test_another_file_is_there_midway(visit: Visit, mode: str) -> None:
    half = SIZE // 2
    before = visit.ask(f"0-{half - 1}")
    visit.ask("9-9")
    after = visit.ask(If_Range=before.headers["ETag"])

    assert before.body == expected(0, half)
    if mode in ("changes-unasked", "changes-hidden"):
        assert (after.status, after.body) == (206, expected(1000, 1000, seed=2))
        assert after.headers["ETag"] == (f'"2-{SIZE}"' if mode == "changes-unasked" else None)
        assert mode == "changes-unasked" or "Last-Modified" not in after.headers
    else:
        size = half if mode == "changes-in-size" else SIZE
        assert (after.status, after.body) == (200, expected(0, size, seed=2))
        assert after.headers["ETag"] == f'"2-{size}"'


def test_every_mode_is_shown_here() -> None:
    assert shown_by(sys.modules[__name__]) == set(changes.MODES)
