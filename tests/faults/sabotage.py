"""Make a process die, freeze or misbehave at a chosen line.

A Django app of the test settings. `SABOTAGE=die_after_claim` in the environment of a process wraps
the function concerned when Django is ready. Functions with `_once` act once in a case: the first
process that gets there creates a file in SABOTAGE_FOLDER. Builders are always wrapped: the names of
some sources trigger faults.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig

MEMORY_LEFT_BYTES = 256 * 1024 * 1024
GATE = "opened"  # the file that lets held builders continue


class Sabotage(AppConfig):
    name = "tests.faults.sabotage"
    label = "sabotage"

    def ready(self) -> None:
        from jobs.kinds import registry as kinds

        bundle = kinds.KINDS["bundle"]
        bundle.build = _faulty(bundle.build)
        for name in filter(None, os.environ.get("SABOTAGE", "").split(",")):
            SABOTAGES[name]()


def die_before_publish() -> None:
    """End the web process after the commit and before the doorbell, without a response."""
    from jobs.engine.doorbell import _Publisher
    from jobs.web.asgi.doorbells import Doorbells

    _before(_Publisher, "put", _die_once)
    _before(Doorbells, "ring", _die_once)


def die_after_claim() -> None:
    from jobs.models import DownloadJob

    _after(DownloadJob, "_claim", _die_once)


def die_before_success() -> None:
    """End the process after the artifact is stored and before its row is written."""
    from jobs.models import DownloadJob

    _before(DownloadJob, "succeed", _die_once)


def freeze_before_success() -> None:
    """Suspend the process after the artifact is stored and before its row is written."""
    from jobs.models import DownloadJob

    _before(DownloadJob, "succeed", _freeze_once)


def die_after_success() -> None:
    """End the process after the row is completed and before Celery acknowledges the message."""
    from jobs.models import DownloadJob

    _after(DownloadJob, "succeed", _die_once)


def lose_response_to_success() -> None:
    """Commit a success, and then break the worker's connection."""
    from jobs.models import DownloadJob

    _lose_commit_of(DownloadJob, "succeed")


def lose_response_to_claim() -> None:
    from jobs.models import DownloadJob

    _lose_commit_of(DownloadJob, "_claim")


def die_while_collecting() -> None:
    from jobs import storage

    _after(storage, "delete_all_objects_but", _die_once)


def hold_until_opened() -> None:
    """Hold all builders until `Rig.open_gate`, so that the worker stays busy."""
    from jobs.kinds import registry as kinds

    bundle = kinds.KINDS["bundle"]
    bundle.build = _held(bundle.build)


def slow_commit() -> None:
    """Wait half a second between the lookup of an idempotency key and the insert."""
    from jobs.models.job import JobQuerySet

    _before(JobQuerySet, "submit", lambda: time.sleep(0.5))


def hang_before_insert_once() -> None:
    """Wait longer than another request waits for the lock of its owner."""
    from jobs.models.job import JobQuerySet

    _before(JobQuerySet, "submit", lambda: time.sleep(4) if _is_first("hung") else None)


SABOTAGES: dict[str, Callable[[], None]] = {
    call.__name__: call
    for call in (
        die_before_publish,
        die_after_claim,
        die_before_success,
        freeze_before_success,
        die_after_success,
        lose_response_to_success,
        lose_response_to_claim,
        die_while_collecting,
        hold_until_opened,
        slow_commit,
        hang_before_insert_once,
    )
}


def _die_once() -> None:
    if _is_first("died"):
        os._exit(9)


def _freeze_once() -> None:
    if _is_first("frozen"):
        os.kill(os.getpid(), signal.SIGSTOP)


def _is_first(name: str) -> bool:
    """Return True in the first process of the case that calls this."""
    try:
        (Path(os.environ["SABOTAGE_FOLDER"]) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _lose_commit_of(owner: Any, name: str) -> None:
    """Commit the transition once, and then break the connection."""
    from django.db import OperationalError, connection

    move = getattr(owner, name)

    def moves(*args: Any, **kwargs: Any) -> Any:
        result = move(*args, **kwargs)  # one statement, which commits by itself
        if _is_first("commit-lost"):
            connection.close()
            raise OperationalError("the connection was lost at COMMIT")
        return result

    setattr(owner, name, moves)


def _before(owner: Any, name: str, act: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        act()
        return original(*args, **kwargs)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, act: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        act()
        return answer

    setattr(owner, name, wrapped)


def _held(build: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    gate = Path(os.environ["SABOTAGE_FOLDER"]) / GATE

    def wrapped(params: Any, work: Any) -> None:
        while not gate.exists():
            time.sleep(0.05)
        build(params, work)

    return wrapped


def _faulty(build: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def wrapped(params: Any, work: Any) -> None:
        for source in params.sources:
            if fault := FAULTS.get(source.name):
                fault()
            # Only then: the key is final once it is read, and bundles may still describe it.
            if source.name == "greedy.bin" and "/1/" in work.output.key:
                _use_up_memory()
        build(params, work)

    return wrapped


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _use_up_memory() -> None:
    """Raise a MemoryError by limiting the memory of this process."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_LEFT_BYTES, unlimited[1]))
    try:
        bytearray(4 * MEMORY_LEFT_BYTES)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, unlimited)


def _ignore_interrupts() -> None:
    """Ignore every interrupt, as a loop in C would."""
    while True:
        try:
            time.sleep(1)
        except BaseException:
            continue


def _raise() -> None:
    raise ZeroDivisionError("a bug in a builder, with a \0 in its text")


FAULTS = {
    "poison.bin": _kill,
    "deaf.bin": _ignore_interrupts,
    "buggy.bin": _raise,
}
