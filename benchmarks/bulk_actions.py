"""How long actions of operators on many jobs take, and what a batch costs.

    python benchmarks/bulk_actions.py [--jobs 1000000] [--cancel 100000]

It seeds temporary servers first, which takes minutes. Without the pause between two batches: with
it, JOBS_A_SECOND is the speed.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from jobs.models import JobAction
    from tests.live import Live

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

SOME = 2_000  # jobs for the other actions
HIDDEN = re.compile('name="(bulk_action|asked_at)" value="([^"]+)"')
QUEUE = """
INSERT INTO jobs_downloadjob (id, owner_id, kind, name, params, priority, request_id,
    idempotency_key, request_hash, status, attempt, failures, losses, available_at, published_at,
    task_id, worker, version, progress, done, total, unit, speed, threads, message, error_code,
    error, created_at, updated_at)
SELECT gen_random_uuid(), owner.id, 'bundle', %s, '{"file_ids": [70000]}', 4, '', '', '',
    'queued', 0, 0, 0, now() + interval '1 day', now(), '', '', 1, 0, 0, 1, 'bytes', 0, 0, '', '',
    '', now(), now()
FROM generate_series(1, %s), LATERAL (
    SELECT id FROM auth_user ORDER BY id OFFSET generate_series %% 20 LIMIT 1
) owner
"""


def measure(jobs: int, to_cancel: int) -> int:
    from django.core.management import call_command
    from django.db import connection

    from jobs.models import JobAction

    call_command("seed_load", jobs=jobs)
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, ["some.zip", SOME])
        cursor.execute(QUEUE, ["queued.zip", to_cancel])
        cursor.execute("ANALYZE")
    pages(jobs + to_cancel)
    run(JobAction.CANCEL, {"name": "queued.zip"})
    run(JobAction.CHANGE_PRIORITY, {"name": "some.zip"}, priority=7)
    run(JobAction.CANCEL, {"name": "some.zip"})
    run(JobAction.RETRY, {"name": "some.zip"})
    run(JobAction.CANCEL, {"name": "some.zip"})
    run(JobAction.DELETE, {"name": "some.zip"})
    return 0


def pages(jobs: int) -> None:
    """Measure the page that asks, for all jobs and for one error code of one kind."""
    from django.contrib.auth.models import User
    from django.test import Client

    operator = User.objects.create_superuser("operator")
    client = Client(SERVER_NAME="localhost")
    client.force_login(operator)
    for name, query in {
        "all": "",
        "of a kind and error": "?kind=remote&error_code=timeout",
    }.items():
        chosen = {"action": "cancel_selected", "select_across": "1", "_selected_action": uuid4()}
        url = f"/admin/jobs/downloadjob/{query}"
        seconds, answer = timed(lambda url=url, chosen=chosen: client.post(url, chosen))
        print(f"page that asks, {name} of {jobs:,}: {seconds:.2f} s", flush=True)
        if not query:
            form = dict(HIDDEN.findall(answer.content.decode()))
            seconds, _ = timed(
                lambda url=url, form=form, chosen=chosen: client.post(url, chosen | form)
            )
            print(f"confirming it: {seconds:.2f} s", flush=True)
            stop_all()


def stop_all() -> None:
    from jobs.models import BulkAction

    for bulk in BulkAction.objects.running():
        seconds, _ = timed(bulk.stop)
        print(f"stopping it: {seconds:.2f} s", flush=True)


def run(action: JobAction, filters: dict[str, Any], priority: int | None = None) -> None:
    from django.contrib.auth.models import User

    from jobs.engine import bulk_actions
    from jobs.models import BulkAction, DownloadJob

    operator = User.objects.get(username="operator")
    chosen = DownloadJob.objects.filter(**filters)
    bulk = BulkAction.objects.start(chosen, action, operator, bulk_id=uuid4(), priority=priority)
    times = []
    while BulkAction.objects.running().filter(pk=bulk.pk).exists():
        row = BulkAction.objects.running().filter(pk=bulk.pk)
        seconds, _ = timed(lambda row=row: bulk_actions.advance_bulk_action(row))
        times.append(seconds)
    bulk.refresh_from_db()
    times.sort()
    print(
        f"{action:16} {bulk.done:7,} done, {bulk.skipped_count} skipped in {sum(times):6.1f} s:"
        f" {bulk.total / sum(times):5.0f}/s; a batch {1000 * median(times):4.0f} ms,"
        f" 99 % below {1000 * times[int(0.99 * len(times))]:4.0f} ms",
        flush=True,
    )


def timed(do: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = do()
    return time.perf_counter() - began, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--cancel", type=int, default=100_000)
    options = parser.parse_args()
    from tests.faults import standalone

    def build(folder: Path, _: object) -> Live:
        from tests.live import Live

        return Live(folder, {})

    return standalone.serve(build, lambda _: measure(options.jobs, options.cancel))


if __name__ == "__main__":
    sys.exit(main())
