"""Arithmetic of widths and heights. Pure."""

from __future__ import annotations


def inside(size: tuple[float, float], most: tuple[int, int]) -> tuple[int, int]:
    """The same shape as large as fits into `most`, never larger than it is, never less than 1."""
    width, height = size
    scale = min(most[0] / width, most[1] / height, 1)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def square(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest square in the middle: left, top, right, bottom."""
    width, height = size
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
