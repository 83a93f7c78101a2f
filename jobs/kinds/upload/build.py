"""Kind `upload`: scan an uploaded file for viruses, and create its previews.

A file is refused for a virus, its type or a wrong checksum. If previews cannot be created, it is
kept and the reason is noted. It is read once: for the scanner, for its digest and, if its type has
previews, into a copy on disk. It is not available before this has ended.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from jobs.errors import ChecksumMismatch, FileTooLarge, ProcessingError, TypeNotAllowed
from jobs.kinds.upload import previews
from jobs.kinds.upload.previews import preview_maker
from jobs.lib import scanner as clamd
from jobs.lib.digest import Digest
from jobs.lib.filetypes import filetype_matches, filetype_of
from jobs.workspace import Workspace

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class UploadParams:
    """`sha256` is the expected digest, or empty. `types` are patterns of allowed content types.

    `scanner` is the address of clamd; empty if files are not scanned.
    """

    name: str
    size_bytes: int
    sha256: str = ""
    types: tuple[str, ...] = ("*/*",)
    preview_max_bytes: int = 2**31
    scanner: str = ""


def build_upload(params: UploadParams, work: Workspace) -> None:
    """Check the upload, store its digest and type, and attach its previews.

    Raises SourceMissing, StorageUnavailable, Infected, TypeNotAllowed, ChecksumMismatch.
    """
    source = work.scratch / "file"
    work.say("Checking the file")
    content_type, digest = _scan(params, work, source)
    if params.sha256 and digest.sha256 != params.sha256:
        raise ChecksumMismatch(f"The file has SHA-256 {digest.sha256}, not the expected one.")
    work.keep(digest, content_type=content_type)
    if preview_maker.has_previews(content_type) and not work.reuse():
        try:
            _make_previews(params, work, source, content_type)
        except ProcessingError as error:
            log.info("no previews", code=error.code, content_type=content_type, exc_info=True)
            work.note(**previews.skipped_preview(error))
    work.note(scanned=bool(params.scanner))  # last: reuse() notes that of the duplicate


def _make_previews(params: UploadParams, work: Workspace, source: Path, content_type: str) -> None:
    """Create the previews from the copy and attach them. Raises ProcessingError."""
    if not source.exists():
        most = f"{params.preview_max_bytes / 1e6:,.0f} MB"
        raise FileTooLarge(f"The file is too large. Previews are made of files of up to {most}.")
    work.say("Making previews")
    folder = work.scratch / "made"
    folder.mkdir()
    limits = previews.PreviewLimits()
    result = preview_maker.make_previews(source, content_type, folder, limits=limits, say=work.say)
    for preview in result.previews:
        work.attach(preview.role, preview.path, content_type=preview.content_type)
    work.note(**result.facts)


def _scan(params: UploadParams, work: Workspace, source: Path) -> tuple[str, Digest]:
    """Scan the file. Return its type and digest; write a copy to `source` if it has previews."""
    content_type, digest = "", Digest()
    with ExitStack() as stack:
        scan = stack.enter_context(clamd.Scan(params.scanner)) if params.scanner else None
        copy = None
        for chunk in work.received():
            if not content_type:
                content_type = _allowed_type(chunk, params)
                if _has_previews(content_type, params):
                    copy = stack.enter_context(source.open("wb"))
            digest.update(chunk)
            if scan:
                scan.feed(chunk)
            if copy:
                copy.write(chunk)
        if scan:
            work.say("Waiting for the virus scanner")
            scan.verdict()
    return content_type or _allowed_type(b"", params), digest


def _allowed_type(head: bytes, params: UploadParams) -> str:
    """Return the content type. Raises TypeNotAllowed."""
    content_type = filetype_of(head, params.name)
    if not filetype_matches(content_type, list(params.types)):
        raise TypeNotAllowed(f"Files of type {content_type} are not allowed.")
    return content_type


def _has_previews(content_type: str, params: UploadParams) -> bool:
    return (
        preview_maker.has_previews(content_type) and params.size_bytes <= params.preview_max_bytes
    )
