"""`make fuzz MINUTES=10`: round after round of requests made from the OpenAPI document.

Each round has a seed of its own, beginning with SEED, and three callers: a user, nobody and an
operator. The exit status is 0 when every answer was as the document says.
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
EXAMPLES = 40  # in the phase that makes them by chance; a round takes about a minute
PROCESSES = ("dispatcher", "worker", "web")


def service(folder: Path, stack: Stack) -> Live:
    from tests.factories import store  # which needs Django's settings
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
    while time.monotonic() < ends:  # the last one is played to its end
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
    """A token for each, good for longer than all of it takes."""
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
