"""Measure fair claims and limits, on a service with four slots.

python -m benchmarks.fair                 all cases; about seven minutes
python -m benchmarks.fair claims          some of them
python -m benchmarks.fair --smoke         all cases with tiny counts, to check that they work
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults import standalone

if TYPE_CHECKING:
    from benchmarks.bench.figures import Result
    from benchmarks.fair.service import Service

KINDS = "benchmarks.fair.sleep.Sleep,benchmarks.fair.sleep.Pausable"


@dataclass(frozen=True)
class Sizes:
    flood: int = 1_000
    quiet_owners: int = 20
    seconds: float = 1  # of a job
    shared_seconds: float = 60
    short_seconds: float = 0.25
    limited: int = 100
    waiting_jobs: int = 1_000_000
    waiting_owners: int = 1_000
    claimers: int = 50
    claims: int = 40  # of each


FULL = Sizes()
SMOKE = Sizes(12, 3, 0.2, 3, 0.1, 120, 500, 20, 4, 3)


def main() -> int:
    options = parse()
    os.environ["KINDS"] = KINDS  # of this process and of those that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def build(folder: Path, _: object) -> Service:
        from benchmarks.fair.service import Service

        return Service(folder)

    return standalone.serve(build, lambda service: run(service, options), durable=True)


def run(service: Service, options: argparse.Namespace) -> int:
    from benchmarks.bench import machine
    from benchmarks.bench.__main__ import write_figures
    from benchmarks.bench.figures import NotMeasured
    from benchmarks.bench.report import Report
    from benchmarks.fair.bars import BARS

    logging.disable(logging.INFO)  # a line for each claim
    known = cases(service, SMOKE if options.smoke else FULL)
    if unknown := set(options.cases) - set(known):
        sys.exit(f"Unknown cases: {', '.join(sorted(unknown))}. Choose from: {', '.join(known)}")
    report = Report(machine.describe(), {name: case[0] for name, case in known.items()})
    report.all_bars = BARS
    failed = False
    for name in options.cases or known:
        began = time.monotonic()
        try:
            report.results[name] = known[name][1]()
        except NotMeasured as reason:
            report.missing[name] = str(reason)
        except Exception as error:
            traceback.print_exc()
            report.missing[name] = f"the case failed ({type(error).__name__})"
            failed = True
        print("\n".join(report.case(name)), f"\n({time.monotonic() - began:.0f} s)\n", flush=True)
        if options.json:
            options.json.write_text(json.dumps(report.json(), indent=1) + "\n")
        if options.markdown:
            write_figures(options.markdown, report.markdown())
    if not options.smoke:
        print("\n".join(["### Bars", "", *report.bars()]), flush=True)
    return int(failed or (options.strict and not report.is_reached))


def cases(service: Service, sizes: Sizes) -> dict[str, tuple[str, Callable[[], Result]]]:
    """Return the question and the function of each case."""
    from benchmarks.fair import claims, limits, order

    def on_service(measure: Callable[[], Result]) -> Callable[[], Result]:
        def measured() -> Result:
            if not service.live.processes:
                service.start()
            return measure()

        return measured

    flood = sizes.flood, sizes.quiet_owners, sizes.seconds
    shared = sizes.shared_seconds, sizes.short_seconds
    waiting = sizes.waiting_jobs, sizes.waiting_owners, sizes.claimers, sizes.claims
    found: dict[str, tuple[Callable[..., Result], Callable[[], Result]]] = {
        # The claims first: no worker may take the jobs.
        "claims": (claims.claims_at_once, lambda: claims.claims_at_once(*waiting)),
        "quiet-owners": (
            order.quiet_owners,
            on_service(lambda: order.quiet_owners(service, *flood)),
        ),
        "shares": (order.shares, on_service(lambda: order.shares(service, *shared))),
        "limits": (
            limits.limits,
            on_service(lambda: limits.limits(service, sizes.limited, sizes.seconds)),
        ),
    }
    return {name: ((case.__doc__ or "").strip(), call) for name, (case, call) in found.items()}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fair",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", metavar="case", help="cases to run (default: all)")
    parser.add_argument("--smoke", action="store_true", help="tiny counts, no bars")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is not reached")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="replace the figures in a document"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
