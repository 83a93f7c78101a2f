"""What every form asks besides: whether to mail its owner, and when to start at the earliest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Preferences, can_be_mailed

# As browsers write the value of a datetime-local: nobody's zone is in it.
LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?", re.ASCII)
SENTENCES = {
    "runAt": {
        "too_far": "At most a year from now.",
        "": "Choose a day and a time, or leave it empty.",
    }
}


@dataclass(frozen=True)
class Offered:
    """What stands in the fields. `run_at` is as it was typed, if it is no moment."""

    can_mail: bool
    email: bool
    run_at: str
    at: datetime | None


def asked(given: Mapping[str, Any], owner: User) -> dict[str, Any]:
    """For a serializer. A form says `email` twice where its box is ticked; the last one counts."""
    found: dict[str, Any] = {}
    if "email" in given and can_be_mailed(owner):
        found["email"] = given["email"] == "true"
    if run_at := _with_zone(str(given.get("runAt", ""))):
        found["runAt"] = run_at
    return found


def offered(given: Mapping[str, Any], owner: User) -> Offered:
    """As it was given, or else as the owner's settings have it."""
    run_at = str(given.get("runAt", "")).strip()
    at = None
    with suppress(ValueError, OverflowError):
        at = timezone.localtime(datetime.fromisoformat(_with_zone(run_at)))
    return Offered(
        can_mail=can_be_mailed(owner),
        email=can_be_mailed(owner) and _is_ticked(given, owner),
        run_at=f"{at:%Y-%m-%dT%H:%M}" if at else run_at,
        at=at,
    )


def _is_ticked(given: Mapping[str, Any], owner: User) -> bool:
    return given["email"] == "true" if "email" in given else Preferences.of(owner).email


def _with_zone(text: str) -> str:
    """As it is, if it has one; pages.js sends it. Else it is meant in the site's."""
    with suppress(ValueError, OverflowError):
        if LOCAL.fullmatch(text := text.strip()):
            return timezone.make_aware(datetime.fromisoformat(text)).isoformat()
    return text
