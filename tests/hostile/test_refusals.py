"""Servers that refuse or redirect behave on the wire as their names say."""

from __future__ import annotations

import sys
from dataclasses import replace

from tests.hostile import redirects, refusals
from tests.hostile.modes import MODES
from tests.hostile.visit import Visit, covered_by, covers, expected
from tests.live import until

REFUSALS = {
    "busy": (503, "1"),
    "busy-for-a-day": (503, "86400"),
    "too-many-requests": (429, "1"),
    "broken": (500, None),
    "not-found": (404, None),
}


@covers(*REFUSALS)
def test_it_refuses(visit: Visit, mode: str) -> None:
    for answer in (visit.ask(), visit.ask(None), visit.ask()):
        assert (answer.status, answer.headers["Retry-After"]) == REFUSALS[mode]


TURNS = {
    "busy-twice": [503, 503, 206, 206],
    "forbidden-midway": [206, 206, 403, 403],
    "error-page-midway": [206, 206, 200, 200],
    "error-page": [200, 200, 200, 200],
}


@covers(*TURNS)
def test_it_refuses_for_a_while(visit: Visit, mode: str) -> None:
    answers = [visit.ask() for _ in range(4)]

    assert [answer.status for answer in answers] == TURNS[mode]
    assert all(answer.body == expected(1000, 1000) for answer in answers if answer.status == 206)
    pages = [answer for answer in answers if answer.status != 206]
    assert all(answer.headers["Content-Type"] == "text/html" for answer in pages)


@covers("crowded")
def test_the_third_concurrent_request_is_refused(visit: Visit, mode: str) -> None:
    visit.peer.serve("/file", replace(MODES[mode], rate=10))

    with visit.open() as one, visit.open() as other:
        assert one.recv(1)
        assert other.recv(1)
        assert visit.ask().status == 503


@covers("redirect", "redirect-relative")
def test_the_redirect_leads_to_the_file(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert answer.status == 302
    absolute = f"{visit.url}?moved"
    assert answer.headers["Location"] == (absolute if mode == "redirect" else "?moved")
    assert visit.follow(answer).body == expected(1000, 1000)


ELSEWHERE = {
    "redirect-to-private-address": "http://10.0.0.1/secret",
    "redirect-to-metadata": "http://169.254.169.254/latest/meta-data/",
    "redirect-to-file": "file:///etc/passwd",
    "redirect-nowhere": None,
}


@covers(*ELSEWHERE)
def test_the_redirect_leads_to_a_forbidden_address(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert (answer.status, answer.headers["Location"]) == (302, ELSEWHERE[mode])


@covers("redirect-loop", "redirect-20-hops")
def test_redirects_follow_one_another(visit: Visit, mode: str) -> None:
    answer = visit.ask()
    places: list[str] = []
    while answer.status == 302 and len(places) < 30:
        places.append(answer.headers["Location"])
        answer = visit.follow(answer)

    assert len(places) == (30 if mode == "redirect-loop" else 20)
    assert len(set(places)) == (2 if mode == "redirect-loop" else 20)


@covers("redirect-expires")
def test_the_target_expires_and_the_redirect_gives_a_fresh_one(visit: Visit, mode: str) -> None:
    answer = visit.ask()

    assert visit.follow(answer).status == 206
    until(lambda: visit.follow(answer).status == 403, seconds=5)
    assert visit.follow(visit.ask()).status == 206


def test_every_mode_is_covered() -> None:
    assert covered_by(sys.modules[__name__]) == {*refusals.MODES, *redirects.MODES}
