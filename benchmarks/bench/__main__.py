"""Compare the service with peers and limits. Starts and stops everything that it compares.

python -m benchmarks.bench                     all cases; about half an hour
python -m benchmarks.bench poll start-1-owner  some of them
python -m benchmarks.bench --smoke             all cases with tiny counts, to check that they work
"""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import tools
from benchmarks.bench.command_line import argument_parser, run_cases
from benchmarks.bench.sizes import FULL, SMOKE
from tests.faults import standalone

if TYPE_CHECKING:
    from benchmarks.bench.rig import Rig
    from downloads_project.local.stack import Stack


def main() -> int:
    options = parse()
    tools.install()
    sizes = SMOKE if options.smoke else FULL
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)

    def build(folder: Path, stack: Stack) -> Rig:
        from benchmarks.bench.rig import Rig

        return Rig(folder, stack, sizes)

    # A process that a shell starts in the background ignores SIGINT by default.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return standalone.serve(build, lambda rig: run(rig, options), durable=True)


def run(rig: Rig, options: argparse.Namespace) -> int:
    from benchmarks.bench.cases import CASES

    print(f"{rig.service.url} is up; rounds of {rig.sizes.seconds} s\n", flush=True)
    cases = {
        name: ((case.__doc__ or "").strip(), partial(case, rig)) for name, case in CASES.items()
    }
    return run_cases(cases, options)


def parse() -> argparse.Namespace:
    parser = argument_parser("python -m benchmarks.bench", __doc__)
    parser.add_argument(
        "--rounds", type=int, help=f"rounds of each contender (default: {FULL.rounds})"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
