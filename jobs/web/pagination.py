"""Keyset pagination for lists that show the newest rows first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)
Position = dict[str, Any]  # the values that rows are ordered by: {"created_at": ..., "pk": ...}


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows, newest first, and whether there are newer and older ones."""

    rows: list[M]
    has_newer: bool
    has_older: bool


def paginate_newest(
    parts: Sequence[QuerySet[M]],
    order: tuple[str, ...],
    size: int,
    *,
    after: Position | None,
    before: Position | None,
) -> Page[M]:
    """Return the page next to a position. Page 1,000 costs what page 1 does.

    That holds where an index has each part in this order. No row may be in two parts.
    """
    if after:
        near = [part.filter(_beyond(after, "gt")) for part in parts]
        found = first_page_rows(near, order, size + 1)
        if found:
            return Page(found[:size][::-1], len(found) > size, True)
    falling = tuple(f"-{name}" for name in order)
    older = [part.filter(_beyond(before, "lt")) for part in parts] if before else parts
    found = first_page_rows(older, falling, size + 1)
    if before and not found:  # past the end: return the first page
        return paginate_newest(parts, order, size, after=None, before=None)
    return Page(found[:size], before is not None, len(found) > size)


def first_page_rows(parts: Sequence[QuerySet[M]], order: tuple[str, ...], count: int) -> list[M]:
    """Return the first rows of all parts together. One query; it reads `count` rows of each."""
    head, *rest = (part.order_by(*order)[:count] for part in parts)
    return list(head.union(*rest, all=True).order_by(*order)[:count] if rest else head)


def _beyond(position: Position, lookup: str) -> Q:
    """Match the rows past a position, ordered by its first value and then by its second."""
    first, *rest = position
    if not rest:
        return Q((f"{first}__{lookup}", position[first]))
    second = rest[0]
    beyond = Q((f"{first}__{lookup}", position[first]))
    beyond |= Q((f"{second}__{lookup}", position[second]))
    return Q((f"{first}__{lookup}e", position[first])) & beyond
