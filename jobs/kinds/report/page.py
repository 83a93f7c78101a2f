"""The parts of a report's page."""

from __future__ import annotations

from datetime import date
from itertools import starmap

from jobs.kinds.base import JobParams
from jobs.kinds.page_parts import Contents, Detail
from jobs.web.wording.time_text import day_range_text


def report_page_contents(params: JobParams) -> Contents:
    """Return the period and the options of the report."""
    if "from" in params:
        period = day_range_text(*(date.fromisoformat(params[end]) for end in ("from", "to")))
    else:
        count = int(params["period"].removesuffix("d"))
        period = "The day it is created" if count == 1 else f"The last {count} days"
    facts = {
        "Period": period,
        "Format": params["format"].upper(),
        "Downloads of": "everyone" if params["everybody"] else "you",
    }
    return Contents("The report", facts=tuple(starmap(Detail, facts.items())))
