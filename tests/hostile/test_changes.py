"""Files that change during a fetch really do so on the wire, with the validators of their mode."""

from __future__ import annotations

import sys
from email.utils import parsedate_to_datetime

from tests.hostile import changes
from tests.hostile.visit import SIZE, Visit, covered_by, covers, expected

VALIDATORS = {
    "no-validator": (None, False),
    "weak-etag": (f'W/"1-{SIZE}"', False),
    "last-modified": (None, True),
    "last-modified-now": (None, True),
}


@covers(*VALIDATORS)
def test_validators(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.body) == (206, expected(1000, 1000))
    assert (answer.headers["ETag"], "Last-Modified" in answer.headers) == VALIDATORS[mode]


@covers("last-modified-now")
def test_last_modified_is_the_second_of_the_first_request(visit: Visit, mode: str) -> None:
    one, other = visit.ask(), visit.ask()

    modified, now = (parsedate_to_datetime(one.headers[k]) for k in ("Last-Modified", "Date"))
    assert abs((now - modified).total_seconds()) <= 1
    assert one.headers["Last-Modified"] == other.headers["Last-Modified"]


@covers("changes", "changes-halfway", "changes-in-size", "changes-unasked", "changes-hidden")
def test_the_file_is_replaced_during_a_fetch(visit: Visit, mode: str) -> None:
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


def test_every_mode_is_covered() -> None:
    assert covered_by(sys.modules[__name__]) == set(changes.MODES)
