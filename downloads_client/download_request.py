"""Turns the arguments of the command line into the request to send."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from downloads_client.failures import UsageError
from downloads_client.formatting import format_alternatives, format_printable
from downloads_client.items import is_file_item, is_job_item
from downloads_client.kinds import KINDS
from downloads_client.kinds.published_kind import FIELD_OPTIONS, KIND, KindRequest
from downloads_client.new_download import COMMON_OPTIONS, NewDownload, check_common_options
from downloads_client.options import NO_OPTIONS, OptionValues

KIND_HELP = "the name of another kind, with --field for each of its fields"
EXISTING_HELP = "the ID of one download"
ITEMS_HELP = format_alternatives([*(kind.items_help for kind in KINDS), KIND_HELP, EXISTING_HELP])


@dataclass(frozen=True)
class ExistingDownload:
    """A download that was created before."""

    job_id: UUID


DownloadRequest = NewDownload | ExistingDownload | KindRequest


def parse_download_request(items: list[str], values: OptionValues = NO_OPTIONS) -> DownloadRequest:
    """Return what the ITEM arguments and the options request. Raises UsageError."""
    for kind in KINDS:
        kind.check_options(values)
    check_common_options(values)
    for kind in KINDS:
        if kind.matches(items, values):
            request = kind.request(items, values)
            for other in KINDS:
                if other is not kind:
                    other.options.reject(values)
            FIELD_OPTIONS.reject(values)
            return request
    if len(items) == 1 and KIND.fullmatch(items[0]) and not is_job_item(items[0]):
        for kind in KINDS:
            kind.options.reject(values)
        return KindRequest.parse(items[0], values)
    return parse_existing_download(items, values)


def parse_existing_download(items: list[str], values: OptionValues) -> ExistingDownload:
    """Return the download with the given ID. Raises UsageError for anything else."""
    for each in items:
        if not (is_file_item(each) or is_job_item(each)):
            raise UsageError(f"{format_printable(each)!r} is not a file number. Use {ITEMS_HELP}.")
    if len(items) > 1:
        raise UsageError(
            "Use one download ID at a time, or --bundle for an archive of their results."
        )
    if values.get("name"):
        raise UsageError("--name works for new downloads only. --output works for both.")
    for kind in KINDS:
        kind.options.reject(values)
    FIELD_OPTIONS.reject(values)
    COMMON_OPTIONS.reject(values)
    return ExistingDownload(UUID(items[0]))
