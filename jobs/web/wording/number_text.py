"""Numbers of files and other amounts, for people."""

from __future__ import annotations

from jobs.lib.file_size import NO_BREAK, file_size_text


def counted_text(count: int, noun: str) -> str:
    """Return '1 download' or '1,200 downloads'."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def files_text(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def amount_text(count: int, total: int | None = None, *, unit: str = "bytes") -> str:
    """Return '3.1 of 14.2 MB', or the same for any unit: '1,200 of 3,400 jobs'."""
    if unit == "bytes":
        return file_size_text(count, total)
    word = unit.removesuffix("s") if (total or count) == 1 else unit
    shown = f"{count:,} of {total:,}" if total else f"{count:,}"
    return f"{shown}{NO_BREAK}{word}"


def size_limit_text(count: int) -> str:
    """Return '5 GB': a size without '.0'."""
    return file_size_text(count).replace(f".0{NO_BREAK}", NO_BREAK)
