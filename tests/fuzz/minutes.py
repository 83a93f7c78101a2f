"""`make fuzz MINUTES=10`: rounds of requests generated from the OpenAPI document.

Each round has its own seed, from SEED on, and three callers: a user, an operator and one without
credentials. The exit status is 0 if every response matches the document.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from downloads_project.local.stack import Stack
from tests.faults import standalone

if TYPE_CHECKING:
    from tests.fuzz.rounds import Round
    from tests.live import Live

MINUTES = float(os.environ.get("MINUTES", "10"))
SEED = int(os.environ.get("SEED", "1"))
EXAMPLES = 40  # of random examples; a round takes about a minute
PROCESSES = ("dispatcher", "worker", "web")


def service(folder: Path, stack: Stack) -> Live:
    from tests.factories import store  # needs Django's settings
    from tests.fuzz.rounds import ENV
    from tests.live import Live

    for number in range(3):
        store(70_000 + number, f"file-{number}.bin", os.urandom(100_000))
    return Live(folder, ENV)


def fuzz(live: Live) -> int:
    from tests.fuzz.rounds import play

    for name in PROCESSES:
        live.start(name)
    callers = _callers()
    print(f"seed {SEED}, {MINUTES:g} min, {EXAMPLES} examples an operation and round", flush=True)
    ends = time.monotonic() + MINUTES * 60
    rounds: list[Round] = []
    while time.monotonic() < ends:  # the last round is completed
        seed, caller = SEED + len(rounds) // len(callers), list(callers)[len(rounds) % len(callers)]
        options = ["--max-examples", str(EXAMPLES)]
        rounds.append(
            play(
                live.url,
                live.folder,
                caller=caller,
                token=callers[caller],
                seed=seed,
                options=options,
            )
        )
        print(rounds[-1], flush=True)
    return _judge(rounds)


def _callers() -> dict[str, str]:
    """Return a token for each caller that outlasts the whole run."""
    from rest_framework_simplejwt.tokens import AccessToken

    from tests.factories import UserFactory

    callers = {"user": "", "nobody": "", "operator": ""}
    for name in ("user", "operator"):
        token = AccessToken.for_user(UserFactory(username=name, is_staff=name == "operator"))
        token.set_exp(lifetime=timedelta(minutes=MINUTES + 60))
        callers[name] = str(token)
    return callers


def _judge(rounds: list[Round]) -> int:
    from jobs.models import DownloadJob

    for played in rounds:
        if played.failures:
            print(f"\n{played}\n{played.output}")
    bugs = list(DownloadJob.objects.filter(error_code="unexpected"))
    figures = {
        "first seed": SEED,
        "rounds": len(rounds),
        "operations": max(played.operations for played in rounds),
        "requests": sum(played.requests for played in rounds),
        "failures": sum(played.failures for played in rounds),
        "jobs": DownloadJob.objects.count(),
        "jobs that met a bug": len(bugs),
    }
    for name, value in figures.items():
        print(f"{name:24}{value:7}")
    for job in bugs:
        print(f"{job.pk}: {job.params}")
    return int(bool(figures["failures"] or bugs))


if __name__ == "__main__":
    sys.exit(standalone.serve(service, fuzz))
