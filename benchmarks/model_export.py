"""Export 700,000 rows of the admin in the background: memory of the worker, time of the page.

    python benchmarks/model_export.py [--rows 700000] [--format csv] [--resource]

With `--resource`, a resource of django-import-export writes the rows.
The exit status is 1 if a limit was exceeded.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]
os.environ["APPS"] = "orders,benchmarks.order_resource" if "--resource" in sys.argv else "orders"
os.environ["KINDS"] = "jobs.kinds.model_export.kind.ModelExport"
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "examples"), str(ROOT)])

from tests.faults import standalone

if TYPE_CHECKING:
    from tests.live import Live

MAX_MIB, MAX_PAGE_MS = 300, 300
EXPORT = "/admin/orders/order/export/?is_paid__exact=1"


def measure(live: Live, rows: int, format_name: str) -> int:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from jobs.models import DownloadJob
    from jobs.states import FINAL
    from tests.live import children

    user = User.objects.create_superuser("operator", "", "secret")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_order (owner_id, placed_at, customer, total, is_paid, invoice_key)"
            " SELECT %s, now() - n * interval '1 minute', 'Customer ' || n, n %% 1000, true, ''"
            " FROM generate_series(1, %s) n",
            [user.pk, rows],
        )
        cursor.execute("ANALYZE orders_order")
    live.start("dispatcher")
    worker = live.start("worker")
    client = Client(headers={"accept": "text/html"}, SERVER_NAME="localhost")
    client.force_login(user)
    page = client.get(EXPORT).content.decode()
    fields = re.findall(r'name="fields_chosen" value="(id|placed_at|customer|buyer|total)"', page)
    form = {"fields_chosen": fields, "format": format_name}
    began = time.monotonic()
    response: Any = client.post(EXPORT, form)
    page_ms = (time.monotonic() - began) * 1000
    job = DownloadJob.objects.get()
    pids = [worker.popen.pid, *children(worker.popen.pid)]
    began, peak = time.monotonic(), 0.0
    while job.status not in FINAL:
        peak = max(peak, *(resident_mib(pid) for pid in pids))
        time.sleep(0.1)
        job.refresh_from_db()
    seconds = time.monotonic() - began
    size = job.artifact.size_bytes if job.artifact else 0
    print(f"{rows:,} rows, {format_name}: {job.status} {job.error} {size:,} bytes")
    print(f"page {page_ms:.0f} ms ({response.status_code}), at most {MAX_PAGE_MS}")
    print(f"worker process {peak:.0f} MiB, at most {MAX_MIB}; {seconds:.1f} s")
    return int(job.status != "completed" or page_ms > MAX_PAGE_MS or peak > MAX_MIB)


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=700_000)
    parser.add_argument("--format", default="csv")
    parser.add_argument("--resource", action="store_true")
    options = parser.parse_args()

    def build(folder: Path, _: object) -> Live:
        from tests.live import Live

        return Live(folder, {})

    return standalone.serve(build, lambda live: measure(live, options.rows, options.format))


if __name__ == "__main__":
    sys.exit(main())
