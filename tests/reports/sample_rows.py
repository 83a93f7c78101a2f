"""Rows of a busy month, the same on each call."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from jobs.kinds.report.document import ReportRow

OWNERS = ["ana", "boris", "chiara.rossi", "dmitri", "eleni", "farid", "grace", "hana", "ines"]
NAMES = [
    "quarterly figures 2026.zip",
    "14 files.zip",
    "measurements-2026-11.csv",
    "facade-east.png",
    "interview.wav",
    "Отчёт за третий квартал.pdf",
    "Größenübersicht & Maße (final).xlsx",
    "Έκθεση Νοεμβρίου.docx",
    "the annual report of the city council, with all annexes and corrections, second edition.pdf",
    "rfc9110.txt",
    "تقرير نوفمبر 2026.pdf",
    "דוח שנתי.pdf",
]
CODES = ["remote_refused"] * 5 + ["timeout"] * 3 + ["remote_unavailable", "infected", "worker_lost"]
KINDS = ["bundle"] * 6 + ["remote"] * 3 + ["upload"] * 4 + ["report"]
SLOWNESS = {"bundle": 1.0, "remote": 8.0, "upload": 2.0, "report": 0.5}


def rows(count: int, first_day: date, last_day: date) -> Iterator[ReportRow]:
    """Yield rows, newest first: fewer at night and on weekends, some of the newest in progress."""
    rng = random.Random(7)
    days = [last_day - timedelta(back) for back in range((last_day - first_day).days + 1)]
    weights = [(0.3 if day.weekday() >= 5 else 1) * rng.uniform(0.6, 1.3) for day in days]
    for number, day in enumerate(days):
        before = round(count * sum(weights[:number]) / sum(weights))
        after = round(count * sum(weights[: number + 1]) / sum(weights))
        seconds = sorted(
            (min(max(rng.gauss(13, 4), 0), 23.99) * 3600 for _ in range(after - before)),
            reverse=True,
        )
        for place, second in enumerate(seconds):
            at = datetime.combine(day, time(), UTC) + timedelta(seconds=second)
            yield _row(rng, before + place, at, is_new=before + place < count // 100)


def _row(rng: random.Random, number: int, at: datetime, *, is_new: bool) -> ReportRow:
    kind, status = rng.choice(KINDS), "completed"
    if is_new and rng.random() < 0.5:
        status = rng.choice(["queued", "processing"])
    elif rng.random() < 0.05:
        status = rng.choice(["failed", "failed", "cancelled", "expired"])
    waited = None if status == "queued" else rng.expovariate(1 / 6)
    ran = rng.lognormvariate(2, 1) * SLOWNESS[kind]
    is_finished = status not in ("queued", "processing")
    return ReportRow(
        job_id=f"00000000-0000-4000-8000-{number:012d}",
        name=rng.choice(NAMES),
        owner=rng.choice(OWNERS),
        kind=kind,
        status=status,
        error_code=rng.choice(CODES) if status == "failed" else "",
        size_bytes=int(rng.lognormvariate(16, 2)) if status in ("completed", "expired") else None,
        created_at=at,
        finished_at=at + timedelta(seconds=(waited or 0) + ran) if is_finished else None,
        waited_seconds=waited,
        ran_seconds=ran if is_finished else None,
    )
