"""`downloads delete` and `downloads restore`: delete downloads and files, and undo it."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from downloads_client.failures import Gone, RequestRefused, UsageError
from downloads_client.json_object import JsonObject
from downloads_client.streams import print_to_stderr
from downloads_client.terminal_command import TerminalCommand

NUMBER = re.compile("[0-9]{5,9}", re.ASCII)
REASONS = {
    "active": "in progress; cancel it first",
    "needed": "needed by a download in progress",
    "preview": "a preview goes with its file",
    "not_found": "not found",
}


class DeleteCommand(TerminalCommand):
    name = "delete"
    help = (
        "Delete finished downloads by their ids, and files by their numbers. Prints an id, by"
        " which `downloads restore` undoes it for ten seconds."
    )

    _deleted: tuple[JsonObject, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("items", nargs="*", metavar="ITEM", help="id or number")
        parser.add_argument("--expired", action="store_true", help="all expired downloads")

    def work(self) -> None:
        requests = _requests(self.options["items"], is_expired=self.options["expired"])
        service = self.services()(self.display.show_retry)
        for body in requests:
            self._deleted += (service.delete(body),)
        skipped = [each for found in self._deleted for each in found.objects("skipped")]
        if not self.options["quiet"]:
            counts = [found.integer_or_none("deleted") or 0 for found in self._deleted]
            print_to_stderr(f"Deleted {sum(counts):,}.")
        if skipped:
            raise RequestRefused(f"Not deleted: {', '.join(map(_skipped_text, skipped))}.")

    def lines(self) -> list[str]:
        return [str(each.uuid("deletionId")) for each in self._deleted if each.has("deletionId")]

    def as_json(self) -> dict[str, Any]:
        return {"deletions": [each.raw for each in self._deleted]}


def _requests(items: list[str], *, is_expired: bool) -> list[dict[str, Any]]:
    """Return the bodies of the requests. Raises UsageError."""
    numbers = [int(item) for item in items if NUMBER.fullmatch(item)]
    ids = [str(_uuid(item)) for item in items if not NUMBER.fullmatch(item)]
    bodies: list[dict[str, Any]] = [{"jobIds": ids}] if ids else []
    bodies += [{"fileIds": numbers}] if numbers else []
    bodies += [{"expired": True}] if is_expired else []
    if not bodies:
        raise UsageError("Name what to delete, or use --expired.")
    return bodies


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise UsageError(f"{text} is neither an id nor the number of a file.") from error


def _skipped_text(skipped: JsonObject) -> str:
    reason = skipped.text("reason")
    return f"{skipped.text('id')} ({REASONS.get(reason, reason)})"


class RestoreCommand(TerminalCommand):
    name = "restore"
    help = "Undo what `downloads delete` did less than ten seconds ago, by the id that it printed."

    _restored = 0

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="+", metavar="ID")

    def work(self) -> None:
        ids = [_uuid(text) for text in self.options["ids"]]
        service = self.services()(self.display.show_retry)
        for deletion_id in ids:
            try:
                self._restored += service.restore(deletion_id)
            except RequestRefused as failure:
                if failure.code != "not_found":
                    raise
                raise Gone(str(failure)) from failure

    def lines(self) -> list[str]:
        return [str(self._restored)] if self._restored else []

    def as_json(self) -> dict[str, Any]:
        return {"restored": self._restored}
