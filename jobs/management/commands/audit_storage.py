"""`manage.py audit_storage`: compare the rows of stored files with the objects in the bucket."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.engine.storage_audit import AuditCounts, AuditProblem, Finding, audit_storage
from jobs.engine.storage_repair import repair
from jobs.errors import BuildError


class Command(BaseCommand):
    help = (
        "List files whose object is missing or another, and objects and multipart uploads without"
        " a file. Changes nothing without --repair. Exit status 1 if something is left to repair."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--hours",
            type=float,
            default=24,
            help="minimum age of objects without a file, which may be in use (default: 24)",
        )
        parser.add_argument("--sums", action="store_true", help="read all files, compare SHA-256")
        parser.add_argument("--json", action="store_true", help="print a JSON object a line")
        parser.add_argument(
            "--repair",
            action="store_true",
            help="delete objects without a file, expire results that are lost or damaged",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="with --repair: only print what would be done"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"] and not options["repair"]:
            raise CommandError("--dry-run needs --repair.")
        self._is_json = options["json"]
        before = datetime.now(UTC) - timedelta(hours=options["hours"])
        counts, found, left = AuditCounts(), Counter[AuditProblem](), 0
        try:
            for finding in audit_storage(before, counts, with_sums=options["sums"]):
                found[finding.problem] += 1
                done = self._repair(finding, **options)
                left += not done or done.startswith("left") or options["dry_run"]
                self._print_finding(finding, done)
        except BuildError as error:
            raise CommandError(str(error)) from error
        self._print_summary(counts, found)
        if left:
            raise CommandError(f"{left} left to repair.")

    def _repair(self, finding: Finding, **options: Any) -> str:
        return repair(finding, is_dry_run=options["dry_run"]) if options["repair"] else ""

    def _print_finding(self, finding: Finding, done: str) -> None:
        if self._is_json:
            line = {"problem": finding.problem, "key": finding.key, "detail": finding.detail}
            self.stdout.write(json.dumps(line | ({"repair": done} if done else {})))
        else:
            columns = (f"{finding.problem:<10}", finding.key, finding.detail, done)
            self.stdout.write("  ".join(filter(None, columns)))

    def _print_summary(self, counts: AuditCounts, found: Counter[AuditProblem]) -> None:
        if self._is_json:
            line = {"files": counts.rows, "objects": counts.objects}
            self.stdout.write(
                json.dumps(line | {problem: found[problem] for problem in AuditProblem})
            )
        else:
            text = ", ".join(f"{found[each]:,} {each.label.lower()}" for each in found)
            self.stdout.write(
                f"{counts.rows:,} files and {counts.objects:,} objects: {text or 'no difference'}"
            )
