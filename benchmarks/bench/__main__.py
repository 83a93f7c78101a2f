"""Compare the service with peers and limits. Starts and stops everything that it compares.

python -m benchmarks.bench                     all cases; about half an hour
python -m benchmarks.bench poll start-1-owner  some of them
python -m benchmarks.bench --smoke             all cases with tiny counts, to check that they work
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import tools
from benchmarks.bench.figures import NotMeasured
from benchmarks.bench.sizes import FULL, SMOKE
from tests.faults import standalone

if TYPE_CHECKING:
    from benchmarks.bench.report import Report
    from benchmarks.bench.rig import Rig
    from downloads_project.local.stack import Stack

BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->\n"


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
    from benchmarks.bench import machine
    from benchmarks.bench.cases import CASES
    from benchmarks.bench.report import Report

    if unknown := set(options.cases) - set(CASES):
        sys.exit(f"Unknown cases: {', '.join(sorted(unknown))}. Choose from: {', '.join(CASES)}")
    questions = {name: (case.__doc__ or "").strip() for name, case in CASES.items()}
    report = Report(machine.describe(), questions)
    print(f"{rig.service.url} is up; rounds of {rig.sizes.seconds} s\n", flush=True)
    failed = []
    for name in options.cases or CASES:
        if not measure(rig, name, report):
            failed.append(name)
        write(report, options)  # after each case, so that Ctrl-C keeps the figures so far
    if not options.smoke:
        print("\n".join(["### Bars", "", *report.bars()]), flush=True)
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return int(bool(failed) or (options.strict and not report.is_reached))


def measure(rig: Rig, name: str, report: Report) -> bool:
    """Run a case, add it to the report and print it. Returns False if it raised an error."""
    from benchmarks.bench.cases import CASES

    began, succeeded = time.monotonic(), True
    try:
        report.results[name] = CASES[name](rig)
    except NotMeasured as reason:
        report.missing[name] = str(reason)
    except Exception as error:
        traceback.print_exc()
        report.missing[name] = f"the case failed ({type(error).__name__})"
        succeeded = False
    print("\n".join(report.case(name)), f"\n({time.monotonic() - began:.0f} s)\n", flush=True)
    return succeeded


def write(report: Report, options: argparse.Namespace) -> None:
    if options.json:
        options.json.write_text(json.dumps(report.json(), indent=1) + "\n")
    if options.markdown:
        write_figures(options.markdown, report.markdown())


def write_figures(path: Path, figures: str) -> None:
    """Replace the text between the two marks. Without marks, replace the whole file."""
    old = path.read_text() if path.exists() else ""
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    path.write_text(f"{before}{begin}\n{figures}\n{end}{after}" if end else figures)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", metavar="case", help="cases to run (default: all)")
    parser.add_argument(
        "--rounds", type=int, help=f"rounds of each contender (default: {FULL.rounds})"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny counts, no bars")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is not reached")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="replace the figures in a document"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
