"""What `manage.py pause` and `resume` have in common: which part of the queue, and the table."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser

from jobs.engine.limit_states import LimitState, read_limit_states
from jobs.kinds.registry import KINDS
from jobs.models import QueueLimit

Scope = QueueLimit.Scope
COLUMNS = ("LIMIT", "STATE", "RUNNING", "WAITING", "REASON")


def add_part_arguments(parser: CommandParser) -> Any:
    """Add the arguments that choose a part, of which at most one is given. Return their group."""
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--kind", metavar="KIND", help="only jobs of this kind")
    part.add_argument("--owner", metavar="USERNAME", help="only jobs of this owner")
    part.add_argument(
        "--key",
        metavar="KEY",
        help="only jobs with this concurrency key, such as the host of links",
    )
    return part


def chosen_part(options: dict[str, Any]) -> QueueLimit:
    """Return an unsaved row for the part that the options choose. Raises CommandError."""
    kind, username, key = options["kind"], options["owner"], options["key"]
    if kind is not None:
        if kind not in KINDS:
            raise CommandError(f"There is no kind {kind!r}. Kinds: {', '.join(sorted(KINDS))}.")
        return QueueLimit(scope=Scope.KIND, name=kind)
    if username is not None:
        users = get_user_model()
        owner = users.objects.filter(**{users.USERNAME_FIELD: username}).first()
        if owner is None:
            raise CommandError(f"There is no user {username!r}.")
        return QueueLimit(scope=Scope.OWNER, owner=owner)
    if key is not None:
        if not 0 < len(key) <= 255:
            raise CommandError("A concurrency key has 1 to 255 characters.")
        return QueueLimit(scope=Scope.KEY, name=key)
    return QueueLimit(scope=Scope.SERVICE)


def limits_table() -> str:
    """Return all limits and pauses as a table, or a sentence if there are none."""
    rows = [_columns(state) for state in read_limit_states() if _limits_something(state)]
    if not rows:
        return "Nothing is paused or limited."
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (COLUMNS, *rows)
    )


def _limits_something(state: LimitState) -> bool:
    return state.limit.is_paused or state.limit.max_running is not None


def _columns(state: LimitState) -> tuple[str, ...]:
    limit = state.limit
    reason = limit.reason if limit.pk else f"max_running of the kind {limit.name}"
    return str(limit), state.state or "-", state.running_text, f"{state.waiting:,}", reason or "-"
