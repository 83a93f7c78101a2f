"""The rig without pytest, for programs that run for minutes: soak.py and benchmarks/recovery.py.

Nothing of Django can be imported before its settings know the servers, so a program does its
work in a function that gets the rig.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from downloads_project.stack import Stack
from tests import throwaway

if TYPE_CHECKING:
    from tests.faults.rig import Rig

LOGS = Path(tempfile.gettempdir()) / "downloads-logs"  # kept when something went wrong


def run(work: Callable[[Rig], int], env: dict[str, str] | None = None) -> int:
    """Call `work` with a rig on a throw-away stack, signed in, with a catalogue; its status."""
    folder = Path(tempfile.mkdtemp(prefix="downloads-rig-"))
    stack = Stack(folder / "stack", durable=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    status = 1
    try:
        throwaway.start(stack)
        rig = _rig(folder, stack, env or {})
        try:
            status = work(rig)
        finally:
            rig.stop()
    except KeyboardInterrupt:
        print("\nStopped.")
    finally:
        stack.stop()
        if status:
            shutil.rmtree(LOGS, ignore_errors=True)
            shutil.copytree(folder, LOGS, ignore=shutil.ignore_patterns("s3", "postgres", "redis"))
            print(f"The logs are in {LOGS}")
        shutil.rmtree(folder, ignore_errors=True)
    return status


def _rig(folder: Path, stack: Stack, env: dict[str, str]) -> Rig:
    import django

    django.setup()
    from django.core.management import call_command

    from jobs import storage
    from tests.factories import UserFactory
    from tests.faults.catalogue import fill
    from tests.faults.rig import Rig

    call_command("migrate", verbosity=0)
    storage.make_bucket()
    fill()
    rig = Rig(folder, stack, env)
    rig.sign_in(UserFactory(username="soak"))
    return rig
