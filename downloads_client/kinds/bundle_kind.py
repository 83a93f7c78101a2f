"""Bundles: stored files, and the results of downloads, in one archive."""

from __future__ import annotations

from typing import Any

from downloads_client.items import is_file_item, is_job_item
from downloads_client.kinds.base import DownloadKind
from downloads_client.options import Option, OptionGroup, OptionValues


class BundleKind(DownloadKind):
    """Requested by file numbers. With --bundle also by the IDs of downloads."""

    name = "bundle"
    description = "files as one archive"
    items_help = "file numbers (70000 70001)"
    options = OptionGroup(
        (
            Option(
                "--bundle",
                "combine files and the results of downloads in one archive",
                action="store_true",
            ),
        ),
        misplaced="--bundle needs file numbers or download IDs.",
    )
    path = "v1/download/initiate"

    def matches(self, items: list[str], values: OptionValues) -> bool:
        accepts_ids = bool(values.get("bundle"))
        return all(is_file_item(each) or (accepts_ids and is_job_item(each)) for each in items)

    def members(self, items: list[str]) -> dict[str, Any]:
        file_ids = dict.fromkeys(int(each) for each in items if is_file_item(each))
        job_ids = dict.fromkeys(each.lower() for each in items if is_job_item(each))
        return {"file_ids": list(file_ids), "job_ids": list(job_ids)}

    def summary(self, items: list[str]) -> str:
        members = self.members(items)
        return bundle_summary(len(members["file_ids"]), len(members["job_ids"]))


def bundle_summary(file_count: int, job_count: int) -> str:
    """Return '3 files', 'the results of 2 downloads' or '1 file and the results of 1 download'."""
    files = "1 file" if file_count == 1 else f"{file_count:,} files"
    if not job_count:
        return files
    results = f"the results of {job_count:,} {'download' if job_count == 1 else 'downloads'}"
    return f"{files} and {results}" if file_count else results
