"""What the client knows about a kind of download: its options, its request and its texts."""

from __future__ import annotations

from typing import Any

from downloads_client.failures import UsageError
from downloads_client.new_download import COMMON_OPTIONS, NewDownload
from downloads_client.options import OptionGroup, OptionValues, without_empty_options


class DownloadKind:
    """A kind of download. Subclasses override what differs; the defaults match no arguments.

    An instance has no state of its own: one can describe a kind that the service publishes.
    """

    name = ""
    """The member `kind` of the service's responses."""

    description = ""
    """What it downloads, for the first sentence of --help: 'the file behind a link'."""

    items_help = ""
    """The ITEM arguments that request it, for --help and errors: 'one link (https://...)'."""

    options = OptionGroup()
    """The options that only this kind has, and the error if they are given with another kind."""

    name_member = "name"
    """The member of the request body for --name. Empty if the kind does not accept --name."""

    name_rejected = "--name does not work for this kind of download. --output works for all."
    """The error for --name if `name_member` is empty."""

    method = "POST"
    """The HTTP method of the request."""

    path = ""
    """The path of the request, without a leading slash."""

    running = "Making"
    """The verb for a job that is queued or being processed."""

    completed = "Made"
    """The verb for a completed job."""

    def matches(self, items: list[str], values: OptionValues) -> bool:
        """Return True if the ITEM arguments request this kind."""
        return False

    def check_items(self, items: list[str]) -> None:
        """Raise UsageError for ITEM arguments that match, but cannot be requested together."""

    def check_options(self, values: OptionValues) -> None:
        """Raise UsageError for a malformed value of an option. The service checks limits.

        Called for every command line, also if it requests another kind.
        """

    def members(self, items: list[str]) -> dict[str, Any]:
        """Return the members of the request body for the ITEM arguments."""
        return {}

    def summary(self, items: list[str]) -> str:
        """Return what is requested, for 'Requested …': '3 files'."""
        return "a download"

    def request(self, items: list[str], values: OptionValues) -> NewDownload:
        """Return the request for arguments that match. Raises UsageError."""
        self.check_items(items)
        file_name = values.get("name")
        if file_name and not self.name_member:
            raise UsageError(self.name_rejected)
        named = {self.name_member: file_name} if self.name_member else {}
        body = without_empty_options(**self.members(items), **named)
        body |= self.options.members(values) | COMMON_OPTIONS.members(values)
        return NewDownload(self.path, body, self.summary(items), self.method)
