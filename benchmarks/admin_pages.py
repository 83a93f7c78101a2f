"""What operators read at many jobs: processor time and time of the queries, each the median.

    python benchmarks/admin_pages.py [--jobs 1000000] [--rounds 5]

It seeds temporary servers first, which takes minutes. The exit status is 1 if a page exceeds a
limit. `--here` measures the database of DATABASE_URL instead, as it is.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.live import Live

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

JOBS = "/admin/jobs/downloadjob/"
PAGES = {
    "overview, 1 hour": "/admin/?range=1h",
    "overview, 24 hours": "/admin/?range=24h",
    "overview, 7 days": "/admin/?range=7d",
    "jobs": JOBS,
    "failed": f"{JOBS}?status__exact=failed",
    "failed in 7 days, of a kind": f"{JOBS}?status__exact=failed&finished=7d&kind=remote",
    "completed in 24 hours": f"{JOBS}?status__exact=completed&finished=24h",
    "of a kind": f"{JOBS}?kind=remote",
    "of an owner": f"{JOBS}?owner=load-1",
    "four or more attempts": f"{JOBS}?attempts=4",
    "waiting for a retry": f"{JOBS}?state=retry",
    "stalled": f"{JOBS}?state=stalled",
    "finished in 7 days": f"{JOBS}?finished=7d",
    "GET /queue/stats": "/queue/stats",
    "GET /workers/stats": "/workers/stats",
    "scrape of the metrics": "/metrics",
}
MAX_MS = {"overview": 300, "GET": 50}  # by the first word of the name; others: MAX_LIST_MS
MAX_LIST_MS = 150


def measure(rounds: int) -> int:
    """Print the times of each page; return 1 if one exceeds its limit."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from jobs.operations.metrics import service

    service.KEPT_SECONDS = 0  # each scrape reads anew
    operator, _ = User.objects.get_or_create(
        username="benchmark", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client(SERVER_NAME="localhost")
    client.force_login(operator)
    is_slow = False
    for name, url in PAGES.items():
        client.get(url)  # compiles its templates
        processor, queries, counts = [], [], []
        for _ in range(rounds):
            began = time.process_time()
            with CaptureQueriesContext(connection) as seen:
                response = client.get(url)
            processor.append(1000 * (time.process_time() - began))
            queries.append(1000 * sum(float(query["time"]) for query in seen.captured_queries))
            counts.append(len(seen))
            assert response.status_code == 200, (url, response.status_code)
        total, limit = (
            median(processor) + median(queries),
            MAX_MS.get(re.split(r"\W", name)[0], MAX_LIST_MS),
        )
        is_slow |= total > limit
        print(
            f"{name:30} {median(processor):5.0f} ms processor, {median(queries):5.0f} ms in"
            f" {counts[0]:2} queries, limit {limit}{' EXCEEDED' if total > limit else ''}"
        )
    return int(is_slow)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--here", action="store_true")
    options = parser.parse_args()
    if options.here:
        import django

        django.setup()
        return measure(options.rounds)
    from tests.faults import standalone

    def build(folder: Path, _: object) -> Live:
        from tests.live import Live

        return Live(folder, {})

    return standalone.serve(build, lambda _: seed_and_measure(options.jobs, options.rounds))


def seed_and_measure(jobs: int, rounds: int) -> int:
    from django.core.management import call_command

    from jobs.engine.statistics_recorder import StatisticsRecorder

    call_command("seed_load", jobs=jobs)
    StatisticsRecorder()()
    return measure(rounds)


if __name__ == "__main__":
    sys.exit(main())
