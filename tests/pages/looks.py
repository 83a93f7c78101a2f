"""Read pages as a browser without JavaScript does. tests/browser/ has one with it."""

from __future__ import annotations

import re
from typing import Any

from django.urls import reverse

from jobs.models import DownloadJob

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:")
NOT_FILES = ["abc", "-1", "1e5", "70000.0", "", "٣٤٥٦٧", "9" * 40, "9999", "100000001"]


def text(response: Any) -> str:
    """Return the HTML without the whitespace between tags and texts."""
    html: str = response.content.decode()
    return re.sub(r"(?<=>)\n\s*|\n\s*(?=<)", "", html)


def names(response: Any) -> list[str]:
    """Return the names of the downloads in a list, from the top."""
    return re.findall(r"<h3><a [^>]*>([^<]*)</a></h3>", text(response))


def numbers(response: Any) -> list[int]:
    """Return the numbers of the files in the table, from the top."""
    return [int(found) for found in re.findall(r'value="(\d+)" id="f\d+"', text(response))]


def ticked(response: Any) -> set[int]:
    boxes = re.findall(
        r'<input type="checkbox" name="file" value="(\d+)"[^>]* checked>', text(response)
    )
    return set(map(int, boxes))


def of(job: DownloadJob, name: str = "job-page") -> str:
    return reverse(name, args=[job.pk])
