"""What the activity of a job says about its share links."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from jobs.models import ShareLink
from jobs.web.wording.history_line import HistoryLine
from jobs.web.wording.number_text import counted_text
from jobs.web.wording.time_text import clock_text


def share_lines(links: Iterable[ShareLink], now: datetime) -> list[HistoryLine]:
    """Return at most three lines for each link, however often it is used: when it was made, its
    downloads with the time of the last one, and when it was revoked."""
    lines = []
    for link in links:
        times = f"Downloaded {counted_text(link.downloads, 'time')} by a link"
        for text, at in (
            ("Shared by a link", link.created_at),
            (times, link.last_download_at),
            ("Link revoked", link.revoked_at),
        ):
            if at:
                lines.append(HistoryLine(text, at=at, when=clock_text(at, now)))
    return lines
