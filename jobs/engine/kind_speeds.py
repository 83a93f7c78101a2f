"""How long jobs of each kind take, from the last ones that were completed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from math import inf

from django.contrib.postgres.aggregates import RegrCount, RegrIntercept, RegrR2, RegrSlope
from django.db.models import Avg, F, FloatField, Max
from django.db.models.functions import Cast, Extract, Now

from jobs.models import DownloadJob
from jobs.states import Status

LATELY = timedelta(hours=6)
FIRST_GUESS = 20e6  # bytes a second, until a job of the kind has finished
MEASURED = 200  # the last jobs to finish; more would hardly change the average
KEPT_SECONDS = 60
GUESS_KEPT_SECONDS = 5
# A slope is believed if it is this many times its standard error. Small jobs take their fixed time,
# and the noise in it must not become seconds for each of their few bytes.
SIGNIFICANT = 4
REACH = 10  # times the largest measured job; beyond, a unit takes no longer than the first guess


@dataclass(frozen=True)
class KindSpeed:
    """How long recent jobs of a kind ran: a fixed time, and more for each unit of their total.

    `largest` is the total of the largest one.
    """

    fixed_seconds: float
    unit_seconds: float
    largest: float = inf

    def seconds(self, total: int | None) -> float:
        near = min(total or 0, REACH * self.largest)
        far = max((total or 0) - near, 0) / FIRST_GUESS
        if self.unit_seconds:
            far = min(far, far * FIRST_GUESS * self.unit_seconds)
        return self.fixed_seconds + near * self.unit_seconds + far


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
        largest=Max("work"), count=RegrCount("taken", "work"), r2=RegrR2("taken", "work"),
    )  # fmt: skip
    seconds, units, largest = fit["seconds"], fit["units"], fit["largest"]
    slope, rest = fit["slope"], fit["rest"]
    if seconds is None:
        return GUESSED_SPEED
    if slope is None or slope <= 0 or not _is_significant(fit["r2"], fit["count"]):
        return KindSpeed(seconds, 0, largest)  # larger ones did not take longer
    if rest < 0:
        return KindSpeed(0, seconds / units, largest)
    return KindSpeed(rest, slope, largest)


def _is_significant(r2: float, count: int) -> bool:
    """Return whether the slope of a fit to so many points is SIGNIFICANT standard errors."""
    return r2 * (count - 2) >= SIGNIFICANT**2 * (1 - r2) and count > 2
