"""How long jobs of each kind take, from the last ones that were completed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.postgres.aggregates import RegrIntercept, RegrSlope
from django.db.models import Avg, F, FloatField
from django.db.models.functions import Cast, Extract, Now

from jobs.models import DownloadJob
from jobs.states import Status

LATELY = timedelta(hours=6)
FIRST_GUESS = 20e6  # bytes a second, until a job of the kind has finished
MEASURED = 200  # the last jobs to finish; more would hardly change the average
KEPT_SECONDS = 60
GUESS_KEPT_SECONDS = 5


@dataclass(frozen=True)
class KindSpeed:
    """How long recent jobs of a kind ran: a fixed time, and more for each unit of their total."""

    fixed_seconds: float
    unit_seconds: float

    def seconds(self, total: int | None) -> float:
        return self.fixed_seconds + (total or 0) * self.unit_seconds


GUESSED_SPEED = KindSpeed(1.0, 1 / FIRST_GUESS)
_known: dict[str, tuple[float, KindSpeed]] = {}


def kind_speed(kind: str) -> KindSpeed:
    """Return the speed of the kind. It is measured once a minute."""
    measured_at, speed = _known.get(kind, (-KEPT_SECONDS, GUESSED_SPEED))
    kept = GUESS_KEPT_SECONDS if speed is GUESSED_SPEED else KEPT_SECONDS
    now = time.monotonic()
    if now - measured_at >= kept:
        _known[kind] = now, speed  # other threads use the old one meanwhile
        speed = measured_speed(kind)
        _known[kind] = now, speed
    return speed


def cached_speed(kind: str) -> KindSpeed:
    """Return the speed of the kind when it was measured last. Runs no query."""
    return _known.get(kind, (0, GUESSED_SPEED))[1]


def measured_speed(kind: str) -> KindSpeed:
    """Return the speed of the last jobs of the kind, fitted to their totals."""
    taken = Extract(F("finished_at") - F("started_at"), "epoch", output_field=FloatField())
    done = Cast("done", FloatField())
    lately = DownloadJob.objects.filter(
        kind=kind, status=Status.COMPLETED, finished_at__gt=Now() - LATELY
    )
    last = lately.order_by("-finished_at").annotate(taken=taken, work=done)[:MEASURED]
    fit = last.aggregate(
        seconds=Avg("taken"), units=Avg("work"),
        slope=RegrSlope("taken", "work"), rest=RegrIntercept("taken", "work"),
    )  # fmt: skip
    seconds, units, slope, rest = fit["seconds"], fit["units"], fit["slope"], fit["rest"]
    if seconds is None:
        return GUESSED_SPEED
    if slope is None or slope <= 0:  # larger ones did not take longer
        return KindSpeed(seconds, 0)
    return KindSpeed(rest, slope) if rest >= 0 else KindSpeed(0, seconds / units)
