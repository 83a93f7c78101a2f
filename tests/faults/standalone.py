"""The rig without pytest, for long programs: soak.py and benchmarks/recovery.py.

`tests/fuzz/minutes.py` and benchmarks/remote.py use the same temporary servers.

Django's settings need the servers when they are imported. A program therefore does its work in a
function that takes the rig.
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


LOGS = Path(tempfile.gettempdir()) / "downloads-logs"  # kept after an error


L = TypeVar("L", bound=Stops)


def run(work: Callable[[Rig], int], env: dict[str, str] | None = None) -> int:
    """Call `work` with a signed-in rig on a temporary stack. Returns its exit status."""
    return serve(lambda folder, stack: _rig(folder, stack, env or {}), work)


def serve(
    build: Callable[[Path, Stack], L], work: Callable[[L], int], *, durable: bool = False
) -> int:
    """Call `work` with the result of `build`, on a temporary stack. Returns its exit status.

    Everything is stopped at the end, also after errors, when the logs are kept.
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
