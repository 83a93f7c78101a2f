"""The sizes of previews, and arithmetic of widths and heights. Pure."""

from __future__ import annotations

LARGE, MEDIUM, THUMBNAIL = 1920, 800, 200  # pixels of the longest side


def size_inside(size: tuple[float, float], most: tuple[int, int]) -> tuple[int, int]:
    """Return the size scaled down to fit into `most`, at least 1 by 1. Never enlarges."""
    width, height = size
    scale = min(most[0] / width, most[1] / height, 1)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def square_inside_size(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the largest square in the middle: left, top, right, bottom."""
    width, height = size
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
