"""Compares the service with peers and limits. Starts everything that it compares, and stops it.

python -m benchmarks.bench                     all cases; about half an hour
python -m benchmarks.bench poll start-1-owner  some of them
python -m benchmarks.bench --smoke             all of them in little, to see that they work
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

    # Explicitly: what a shell starts in the background ignores it otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return standalone.serve(build, lambda rig: run(rig, options), durable=True)


def run(rig: Rig, options: argparse.Namespace) -> int:
    from benchmarks.bench import machine
    from benchmarks.bench.cases import CASES
    from benchmarks.bench.report import Report

    if unknown := set(options.cases) - set(CASES):
        sys.exit(f"There is no case {', '.join(sorted(unknown))}. There are: {', '.join(CASES)}")
    questions = {name: (case.__doc__ or "").strip() for name, case in CASES.items()}
    report = Report(machine.describe(), questions)
    print(f"{rig.service.url} is up; rounds of {rig.sizes.seconds} s\n", flush=True)
    broken = []
    for name in options.cases or CASES:
        if not measure(rig, name, report):
            broken.append(name)
        write(report, options)  # each time: who stops it early keeps what there is
    if not options.smoke:
        print("\n".join(["### Bars", "", *report.bars()]), flush=True)
    if broken:
        print(f"\nDid not work: {', '.join(broken)}")
    return int(bool(broken) or (options.strict and not report.is_reached))


def measure(rig: Rig, name: str, report: Report) -> bool:
    """Put one case into the report and print it. False: it did not work; the others go on."""
    from benchmarks.bench.cases import CASES

    began, works = time.monotonic(), True
    try:
        report.results[name] = CASES[name](rig)
    except NotMeasured as reason:
        report.missing[name] = str(reason)
    except Exception as error:
        traceback.print_exc()
        report.missing[name] = f"it did not work ({type(error).__name__})"
        works = False
    print("\n".join(report.case(name)), f"\n({time.monotonic() - began:.0f} s)\n", flush=True)
    return works


def write(report: Report, options: argparse.Namespace) -> None:
    if options.json:
        options.json.write_text(json.dumps(report.json(), indent=1) + "\n")
    if options.markdown:
        place(options.markdown, report.markdown())


def place(path: Path, figures: str) -> None:
    """Between the two marks of a document that has them, or as a document of its own."""
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
    parser.add_argument("cases", nargs="*", metavar="case", help="by default all")
    parser.add_argument("--rounds", type=int, help=f"of each contender ({FULL.rounds})")
    parser.add_argument("--smoke", action="store_true", help="tiny counts, no bars")
    parser.add_argument("--strict", action="store_true", help="status 1 if a bar is not reached")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="place figures in a document")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
