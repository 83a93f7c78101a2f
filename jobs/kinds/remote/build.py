"""Kind `remote`: fetch the file of a link and store it.

The first response decides. With a strong validator, ranges are fetched in parallel, and each is
checked to be of the same version; otherwise one connection reads the whole file. Whatever the
server does, the file is stored complete and of one version, or the attempt fails.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from jobs.errors import ChecksumMismatch, RemoteNotAFile, RemoteUnavailable
from jobs.kinds.remote.parallel import ParallelFetch
from jobs.kinds.remote.sequential import sequential_chunks
from jobs.lib.names import safe_name
from jobs.outbound import (
    RangesBroken,
    RemoteFile,
    RemoteResponse,
    check_transfer_size,
    limit_transfer_start,
)
from jobs.workspace import Workspace

FIRST_BYTES = 10 * 1024 * 1024  # the first range of a later attempt
TYPES = MimeTypes()  # Python's own: those of the machine would differ
PAGES = {"text/html", "application/xhtml+xml"}
MAY_RETURN_PAGES = {None, "text/plain", "text/x-python", *PAGES}  # .pl and .py are programs there


@dataclass(frozen=True)
class RemoteParams:
    """`name` is the owner's name for the file, `sha256` the expected digest; both may be empty.

    `is_sequential` is True if the file changed during an earlier attempt. It may always seem to,
    as when each of several servers has an ETag of its own.
    """

    url: str
    threads: int
    name: str = ""
    sha256: str = ""
    is_sequential: bool = False


def link_file_name(url: str) -> str:
    """Return the file name of a link: the end of its path, or else its host."""
    parts = urlsplit(url)
    name = PurePosixPath(parts.path).name
    with suppress(UnicodeError):  # bytes that are no UTF-8 stay encoded, as in Content-Disposition
        name = unquote(name, errors="strict")
    return safe_name(name or parts.hostname or "")


def build_remote_file(params: RemoteParams, work: Workspace) -> None:
    """Fetch and store the file. Raises a RemoteError, StorageUnavailable or NoRoom."""
    work.say("Requesting the file")
    remote = RemoteFile(params.url, connections=params.threads)
    try:
        sha256 = _fetch(params, work, remote)
    finally:
        remote.close()
    if params.sha256 and sha256 != params.sha256:
        raise ChecksumMismatch(f"The file has SHA-256 {sha256}, not the expected one.")


def _fetch(params: RemoteParams, work: Workspace, remote: RemoteFile) -> str:
    """Fetch the file and return its SHA-256."""
    if params.is_sequential:
        return _fetch_sequentially(params, work, limit_transfer_start(remote.whole))
    start, end = work.first_gap()
    # The whole file in the first attempt: a link may allow only one request.
    last = None if end is None else min(start + FIRST_BYTES, end) - 1
    total = None
    try:
        response = limit_transfer_start(lambda: remote.probe(start, last))
        if response.is_partial and response.first == start and response.validator:
            return _fetch_in_parallel(params, work, remote, response)
    except RangesBroken as broken:
        work.drop_parts()
        total = broken.total
        response = limit_transfer_start(remote.whole)
    if not response.is_whole:
        response.close()
        response = limit_transfer_start(remote.whole)
    if total is not None and response.total not in (None, total):
        response.close()
        raise RemoteUnavailable(f"{response.host} returned contradictory sizes of the file.")
    if end is not None:
        _refuse_unversioned(params, response)
    return _fetch_sequentially(params, work, response)


def _refuse_unversioned(params: RemoteParams, response: RemoteResponse) -> None:
    """Reject a response without a validator: the file had one when earlier parts were fetched."""
    if response.lacks_validator:
        response.close()
        _refuse_pages(params, response)
        raise RemoteUnavailable(f"{response.host} returned something other than the file.")


def _fetch_in_parallel(
    params: RemoteParams, work: Workspace, remote: RemoteFile, response: RemoteResponse
) -> str:
    total = response.total or 0
    _describe(params, work, response)
    parts = work.parts(total, response.validator)
    fetch = ParallelFetch(remote, parts, total, response.validator, threads=params.threads)
    work.say(f"Fetching from {remote.host}")
    digest = fetch.run(response, work)
    work.say("Verifying the stored file" if parts.stored else "Storing the file")
    parts.finish(digest)
    return parts.sha256


def _fetch_sequentially(params: RemoteParams, work: Workspace, response: RemoteResponse) -> str:
    _describe(params, work, response)
    work.say(f"Fetching from {response.host}")
    received = 0
    for chunk in sequential_chunks(response):
        received += len(chunk)
        check_transfer_size(received)
        work.output.write(chunk)
        work.advance(len(chunk), threads=1)
    return work.output.sha256


def _describe(params: RemoteParams, work: Workspace, response: RemoteResponse) -> None:
    """Record name, type and size. Raises RemoteTooLarge, RemoteNotAFile."""
    check_transfer_size(response.total or 0)
    _refuse_pages(params, response)
    name = params.name or (
        safe_name(response.name) if response.name else link_file_name(params.url)
    )
    content_type = response.content_type or TYPES.guess_type(name)[0] or "application/octet-stream"
    work.describe(name=name, content_type=content_type, total_bytes=response.total)


def _refuse_pages(params: RemoteParams, response: RemoteResponse) -> None:
    own = PurePosixPath(params.name or unquote(urlsplit(params.url).path)).name
    is_page = response.content_type in PAGES and not response.is_attachment
    if is_page and not _may_be_a_page(own):
        raise RemoteNotAFile(f"{response.host} returned a web page instead of the file.")


def _may_be_a_page(name: str) -> bool:
    content_type, packed = TYPES.guess_type(name)
    return content_type in MAY_RETURN_PAGES and not packed
