"""The codes of failed jobs: those of the service, and those that its kinds define."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import JOB_CODES, WORKER_LOST, BuildError
from jobs.kinds.registry import KINDS


def job_error_codes() -> dict[str, str]:
    """Return what each code of a failed job means."""
    return JOB_CODES | {each.code: each.meaning for each in _errors_of_kinds()}


def retried_error_codes() -> set[str]:
    """Return the codes of failures after which a job is retried by itself."""
    retried = {each.code for each in _all_errors() if each.retryable}
    return retried | {WORKER_LOST, BuildError.code}


def _errors_of_kinds() -> Iterator[type[BuildError]]:
    """Yield the errors that are defined in the package of a kind."""
    packages = tuple(f"{_package(type(kind))}." for kind in KINDS.values())
    for each in _all_errors():
        if f"{_package(each)}.".startswith(packages):
            yield each


def _package(found: type) -> str:
    return found.__module__.rpartition(".")[0] or found.__module__


def _all_errors() -> Iterator[type[BuildError]]:
    classes: list[type[BuildError]] = [BuildError]
    while classes:
        each = classes.pop()
        classes += each.__subclasses__()
        yield each
