"""`manage.py pause`: stop starting jobs, of the whole service or of a part of it."""

from __future__ import annotations

import math
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.engine.pauses import pause, running_jobs
from jobs.models import QueueLimit
from jobs.models.queue_limit import MAX_REASON_CHARS
from jobs.operations.queue_parts import add_part_arguments, chosen_part, limits_table

POLL_SECONDS = 0.5
# A claim that was in progress when the pause was recorded may start a job after the first look.
QUIET_SECONDS = 1


class Command(BaseCommand):
    help = (
        "Pause the queue: no job starts, those that are running go on. Without an argument that"
        " chooses a part, everything is paused. `resume` ends a pause."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        part = add_part_arguments(parser)
        part.add_argument(
            "--list", action="store_true", help="only print what is paused or limited"
        )
        parser.add_argument("--reason", metavar="TEXT", default="", help="owners read it")
        parser.add_argument(
            "--wait",
            type=float,
            nargs="?",
            const=math.inf,
            metavar="SECONDS",
            help="drain: wait until nothing of it is running, at most this long",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self.stdout.write(limits_table())
            return
        if len(options["reason"]) > MAX_REASON_CHARS:
            raise CommandError(f"--reason is longer than {MAX_REASON_CHARS} characters.")
        wait = options["wait"]
        if wait is not None and not wait >= 0:
            raise CommandError("--wait needs a number of seconds.")
        limit = pause(chosen_part(options), reason=options["reason"].strip())
        self.stdout.write(f"Paused: {limit}.")
        if wait is not None:
            self._drain(limit, wait)
        elif running := running_jobs(limit):
            self.stdout.write(f"Still running: {running:,}. They go on; --wait waits for them.")

    def _drain(self, limit: QueueLimit, most_seconds: float) -> None:
        """Wait until nothing runs. Raises CommandError after `most_seconds`."""
        began = time.monotonic()
        quiet_since, printed = None, 0
        while True:
            now, running = time.monotonic(), running_jobs(limit)
            quiet_since = None if running else quiet_since or now
            if quiet_since and now - quiet_since >= QUIET_SECONDS:
                break
            if now - began >= most_seconds and running:
                raise CommandError(
                    f"Still running after {most_seconds:g} s: {running:,}. The pause stays."
                )
            if running and running != printed:
                self.stdout.write(f"{now - began:5.0f} s  running: {running:,}")
                self.stdout.flush()
                printed = running
            time.sleep(POLL_SECONDS)
        self.stdout.write("Nothing is running.")
