"""Links: the file behind a web address."""

from __future__ import annotations

import re
from typing import Any

from downloads_client.failures import UsageError
from downloads_client.formatting import format_printable
from downloads_client.kinds.base import DownloadKind
from downloads_client.options import Option, OptionGroup, OptionValues

# Its host without a user's name and password, which the service refuses and nobody need see.
LINK = re.compile(r"https?://([^/?#]*@)?(?P<host>[^/?#@]*).*", re.IGNORECASE | re.DOTALL)


class LinkKind(DownloadKind):
    name = "remote"
    description = "the file behind a link"
    items_help = "one link (https://...)"
    options = OptionGroup(
        (
            Option(
                "--threads",
                "connections for a link, 1 to 16 (default: 4)",
                "threads",
                metavar="N",
                value_type=int,
            ),
            Option("--sha256", "expected SHA-256 of a link's file", "sha256", metavar="HEX"),
        ),
        misplaced="--threads and --sha256 need a new link.",
    )
    name_member = "output"
    path = "downloads"
    running = "Storing"
    completed = "Stored"

    def matches(self, items: list[str], values: OptionValues) -> bool:
        return all(LINK.fullmatch(each) for each in items)

    def check_items(self, items: list[str]) -> None:
        if len(items) > 1:
            raise UsageError("Use one link at a time.")

    def members(self, items: list[str]) -> dict[str, Any]:
        return {"url": items[0]}

    def summary(self, items: list[str]) -> str:
        found = LINK.fullmatch(items[0])
        assert found  # it matches
        return f"a file from {format_printable(found['host'])}"
