"""Do the settings contradict each other? Asks no server, so every process asks it at start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from jobs import storage
from jobs.kinds import KINDS

ABOVE_ZERO = [
    "BEAT_SECONDS",
    "JOB_TIME_LIMIT_SECONDS",
    "JOB_MIN_SPEED",
    "REMOTE_AVERAGE_SPEED",
    "KILL_AFTER_SECONDS",
    "STALLED_SECONDS",
    "RESULT_KEPT_SECONDS",
    "SOURCE_KEPT_SECONDS",
    "MAX_FILES_PER_BUNDLE",
    "DOWNLOAD_URL_SECONDS",
    "DISPATCH_EVERY_SECONDS",
    "COLLECT_EVERY_SECONDS",
    "RING_AGAIN_SECONDS",
    "MAX_ACTIVE_JOBS",
    "MAX_QUEUED_JOBS",
    "MAX_OPEN_UPLOADS",
    "CLAMD_SILENT_SECONDS",
    "EMAIL_TIMEOUT",
]
ZERO_OR_MORE = [
    "RENEW_SECONDS",
    "START_WAITS_SECONDS",
    "WORKER_STOPS_SECONDS",
    "OWNER_STORAGE_BYTES",
    "TRUSTED_PROXY_HOPS",
    "OPERATOR_MAIL_EVERY_SECONDS",
]
BYTES_OF_AN_ID = 8  # seven digits and a comma, in a request's body


@register
def numbers_are_possible(**kwargs: Any) -> list[CheckMessage]:
    least = dict.fromkeys(ABOVE_ZERO, "more than 0") | dict.fromkeys(ZERO_OR_MORE, "0 or more")
    wrong = [name for name in ABOVE_ZERO if getattr(settings, name) <= 0]
    wrong += [name for name in ZERO_OR_MORE if getattr(settings, name) < 0]
    return [
        Error(
            f"{name} is {getattr(settings, name)}, which cannot be.",
            hint=f"Set {name} to {least[name]}.",
            id="jobs.E003",
        )
        for name in wrong
    ]


@register
def leases_outlive_their_renewal(**kwargs: Any) -> list[CheckMessage]:
    renew, fence, lease = settings.RENEW_SECONDS, settings.FENCE_SECONDS, settings.LEASE_SECONDS
    hint = "Set LEASE_SECONDS alone; FENCE_SECONDS and RENEW_SECONDS follow from it."
    if not renew < fence < lease:
        return [
            Error(
                f"RENEW_SECONDS ({renew}) < FENCE_SECONDS ({fence}) < LEASE_SECONDS ({lease}) must"
                " hold, or a healthy attempt loses its job to another worker.",
                hint=hint,
                id="jobs.E001",
            )
        ]
    # A lease is renewed by the first look after RENEW_SECONDS.
    beat, most = settings.BEAT_SECONDS, min(fence, lease - renew)
    if beat < most:
        return []
    return [
        Error(
            f"BEAT_SECONDS ({beat}) is too long: a healthy attempt loses its job"
            " between two looks at it.",
            hint=f"Set BEAT_SECONDS to less than {most}; 1 is usual.",
            id="jobs.E004",
        )
    ]


@register
def the_simulated_delay_fits(**kwargs: Any) -> list[CheckMessage]:
    delay = settings.SIMULATED_DELAY_SECONDS
    limits = ("JOB_TIME_LIMIT_SECONDS", "STALLED_SECONDS")
    name, limit = min(
        ((name, getattr(settings, name)) for name in limits), key=lambda each: each[1]
    )
    if len(delay) != 2 or not 0 <= delay[0] <= delay[1]:
        return [
            Error(
                "SIMULATED_DELAY_SECONDS is not two numbers, the smaller one first.",
                hint="Set SIMULATED_DELAY_SECONDS to a range such as 10,120, or remove it.",
                id="jobs.E002",
            )
        ]
    if delay[1] < limit:
        return []
    return [
        Warning(
            f"The simulated delay is longer than {name} ({limit}): jobs are stopped.",
            hint="Lower SIMULATED_DELAY_SECONDS, or remove it.",
            id="jobs.W001",
        )
    ]


@register
def late_writers_are_collected(**kwargs: Any) -> list[CheckMessage]:
    longest = max(kind.time_limit_seconds for kind in KINDS.values()) + settings.KILL_AFTER_SECONDS
    again = settings.COLLECT_AGAIN_SECONDS
    if again >= longest:
        return []
    return [
        Error(
            f"COLLECT_AGAIN_SECONDS ({again}) is over before a worker that"
            f" lost its job is killed ({longest} s): what it still writes stays in the bucket.",
            hint=f"Set COLLECT_AGAIN_SECONDS to {longest} or more.",
            id="jobs.E005",
        )
    ]


@register
def the_dispatcher_is_quick_enough(**kwargs: Any) -> list[CheckMessage]:
    every = settings.DISPATCH_EVERY_SECONDS
    slower_than = [
        f"{name} ({getattr(settings, name)})"
        for name in ("RING_AGAIN_SECONDS", "LEASE_SECONDS")
        if every > getattr(settings, name)
    ]
    if not slower_than:
        return []
    return [
        Warning(
            f"DISPATCH_EVERY_SECONDS ({every}) is longer than {' and '.join(slower_than)}: a job"
            " whose message or worker was lost waits longer than these say.",
            hint="Lower DISPATCH_EVERY_SECONDS; 1 is usual.",
            id="jobs.W003",
        )
    ]


@register
def links_lead_to_their_file(**kwargs: Any) -> list[CheckMessage]:
    asked, most = settings.DOWNLOAD_URL_SECONDS, storage.MAX_URL_SECONDS
    kept, works = settings.RESULT_KEPT_SECONDS, storage.url_seconds()
    found: list[CheckMessage] = []
    if asked > most:
        found.append(
            Warning(
                f"DOWNLOAD_URL_SECONDS ({asked}) is not obeyed: a link works for {most} s at most.",
                hint=f"Set DOWNLOAD_URL_SECONDS to {most} or less.",
                id="jobs.W004",
            )
        )
    if kept < works:
        found.append(
            Warning(
                f"RESULT_KEPT_SECONDS ({kept}) is shorter than a link works ({works} s): it then"
                " leads to a file that is gone.",
                hint="Lower DOWNLOAD_URL_SECONDS, or keep results longer.",
                id="jobs.W005",
            )
        )
    return found


@register
def the_largest_request_fits(**kwargs: Any) -> list[CheckMessage]:
    promised, body = settings.MAX_FILES_PER_BUNDLE, settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    most = body // BYTES_OF_AN_ID
    if promised <= most:
        return []
    return [
        Warning(
            f"MAX_FILES_PER_BUNDLE ({promised}) is more than a request has room for: its body may"
            f" have {body} bytes.",
            hint=f"Set MAX_FILES_PER_BUNDLE to {most} or less.",
            id="jobs.W006",
        )
    ]


@register
def the_largest_file_fits_into_the_store(**kwargs: Any) -> list[CheckMessage]:
    most = storage.MAX_OBJECT_BYTES
    return [
        Warning(
            f"{name} ({getattr(settings, name)}) is not obeyed: S3 takes {most} bytes as one file.",
            hint=f"Set {name} to {most} or less.",
            id="jobs.W013",
        )
        for name in ("REMOTE_MAX_BYTES", "MAX_CHUNKED_UPLOAD_BYTES")
        if getattr(settings, name) > most
    ]


@register
def strangers_see_no_traceback(**kwargs: Any) -> list[CheckMessage]:
    if not (settings.PRODUCTION and settings.DEBUG):
        return []
    return [
        Error(
            "PRODUCTION and DEBUG are both true: strangers would read tracebacks and settings.",
            hint="Set DEBUG to false.",
            id="jobs.E006",
        )
    ]
