"""What a queued job waits for, in words: for the API and the pages."""

from __future__ import annotations

from jobs.engine.estimates import Waiting, WaitingFor
from jobs.engine.queue_order import EXACT, Place
from jobs.models import QueueLimit

ROUNDED = 100


def rounded_position(place: Place) -> int:
    """Return how many jobs start before, with two digits other than 0."""
    if place.jobs < ROUNDED:
        return place.jobs
    unit: int = 10 ** (len(str(place.jobs)) - 2)
    return place.jobs // unit * unit


def queue_text(waiting: Waiting | None) -> str:
    """Return '2 ahead of you', or what else keeps a ready job waiting, without a full stop.

    Empty if it is next, or if its status says enough, such as that it depends on others.
    """
    if waiting is None:
        return ""
    if waiting.reason == WaitingFor.PAUSED and waiting.block:
        why = waiting.block.reason.rstrip(". ")
        return f"Paused by the operators: {why}" if why else "Paused by the operators"
    if waiting.reason == WaitingFor.LIMIT and waiting.block:
        if waiting.block.scope == QueueLimit.Scope.OWNER:
            limit = waiting.block.max_running
            return f"You have {limit:,} running, which is your limit; it starts when one ends"
        return "The limit on running downloads is reached; it starts when one ends"
    return _place_text(waiting.place) if waiting.place and waiting.place.jobs else ""


def _place_text(place: Place) -> str:
    count = f"{rounded_position(place):,}"
    if place.is_least:
        return f"More than {count} ahead of you"
    return f"About {count} ahead of you" if place.jobs > EXACT else f"{count} ahead of you"
