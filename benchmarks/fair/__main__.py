"""Measure fair claims and limits, on a service with four slots.

python -m benchmarks.fair                 all cases; about seven minutes
python -m benchmarks.fair claims          some of them
python -m benchmarks.fair --smoke         all cases with tiny counts, to check that they work
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench.command_line import argument_parser, run_cases
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
    options = argument_parser("python -m benchmarks.fair", __doc__).parse_args()
    os.environ["KINDS"] = KINDS  # of this process and of those that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def build(folder: Path, _: object) -> Service:
        from benchmarks.fair.service import Service

        return Service(folder)

    return standalone.serve(build, lambda service: run(service, options), durable=True)


def run(service: Service, options: argparse.Namespace) -> int:
    from benchmarks.fair.bars import BARS

    logging.disable(logging.INFO)  # a line for each claim
    return run_cases(cases(service, SMOKE if options.smoke else FULL), options, bars=BARS)


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


if __name__ == "__main__":
    sys.exit(main())
