"""The rig without pytest, for programs that run for minutes: soak.py and benchmarks/recovery.py.

`tests/fuzz/minutes.py` and benchmarks/remote.py work on the same throw-away servers.

Nothing of Django can be imported before its settings know the servers, so a program does its
work in a function that gets the rig.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from downloads_project.local.stack import Stack
from tests import throwaway

if TYPE_CHECKING:
    from tests.faults.rig import Rig


class Stops(Protocol):
    def stop(self) -> None: ...


LOGS = Path(tempfile.gettempdir()) / "downloads-logs"  # kept when something went wrong


L = TypeVar("L", bound=Stops)


def run(work: Callable[[Rig], int], env: dict[str, str] | None = None) -> int:
    """Call `work` with a rig on a throw-away stack, signed in, with a catalogue; its status."""
    return serve(lambda folder, stack: _rig(folder, stack, env or {}), work)


def serve(
    build: Callable[[Path, Stack], L], work: Callable[[L], int], *, durable: bool = False
) -> int:
    """Call `work` with what `build` makes of a throw-away stack, on an empty database; its status.

    Whatever happens, all of it is stopped; the logs are kept if something went wrong.
    """
    folder = Path(tempfile.mkdtemp(prefix="downloads-rig-"))
    stack = Stack(folder / "stack", durable=durable)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    status = 1
    try:
        throwaway.start(stack)
        _prepare()
        live = build(folder, stack)
        try:
            status = work(live)
        finally:
            live.stop()
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


def _prepare() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from jobs import storage

    call_command("migrate", verbosity=0)
    storage.make_bucket()


def _rig(folder: Path, stack: Stack, env: dict[str, str]) -> Rig:
    from tests.factories import UserFactory
    from tests.faults.catalogue import fill
    from tests.faults.rig import Rig

    fill()
    rig = Rig(folder, stack, env)
    rig.sign_in(UserFactory(username="soak"))
    return rig
