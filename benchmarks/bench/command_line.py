"""What the commands of several benchmarks share: their options, and how cases are run and shown."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.bench.figures import Result
    from benchmarks.bench.report import Report

BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->\n"


def argument_parser(prog: str, description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="case", help="cases to run (default: all)")
    parser.add_argument("--smoke", action="store_true", help="tiny counts, no bars")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is not reached")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="replace the figures in a document"
    )
    return parser


def run_cases(
    cases: Mapping[str, tuple[str, Callable[[], Result]]],
    options: argparse.Namespace,
    *,
    bars: Any = None,
) -> int:
    """Run the chosen cases, each a question and a function, and show them. Return the exit status.

    `bars` replaces those of the report.
    """
    from benchmarks.bench import machine
    from benchmarks.bench.report import Report

    if unknown := set(options.cases) - set(cases):
        sys.exit(f"Unknown cases: {', '.join(sorted(unknown))}. Choose from: {', '.join(cases)}")
    report = Report(machine.describe(), {name: question for name, (question, _) in cases.items()})
    if bars is not None:
        report.all_bars = bars
    failed = []
    for name in options.cases or cases:
        if not _measure(report, name, cases[name][1]):
            failed.append(name)
        _write(report, options)  # after each case, so that Ctrl-C keeps the figures so far
    if not options.smoke:
        print("\n".join(["### Bars", "", *report.bars()]), flush=True)
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return int(bool(failed) or (options.strict and not report.is_reached))


def _measure(report: Report, name: str, case: Callable[[], Result]) -> bool:
    """Run a case, add it to the report and print it. Returns False if it raised an error."""
    from benchmarks.bench.figures import NotMeasured

    began, succeeded = time.monotonic(), True
    try:
        report.results[name] = case()
    except NotMeasured as reason:
        report.missing[name] = str(reason)
    except Exception as error:
        traceback.print_exc()
        report.missing[name] = f"the case failed ({type(error).__name__})"
        succeeded = False
    print("\n".join(report.case(name)), f"\n({time.monotonic() - began:.0f} s)\n", flush=True)
    return succeeded


def _write(report: Report, options: argparse.Namespace) -> None:
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
