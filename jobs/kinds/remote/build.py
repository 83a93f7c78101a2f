"""Kind `remote`: a file that a link leads to, into the store.

The first answer decides. Of a version that has a strong validator, ranges are fetched in parallel,
each proven to be of that version; all else comes by one connection, front to back. Whatever the
other side does, either its file is stored, whole and of one version, or the attempt fails.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from jobs.errors import ChecksumMismatch, RemoteNotAFile, RemoteUnavailable
from jobs.kinds.remote.parallel import Fetch
from jobs.kinds.remote.sequential import chunks_of
from jobs.lib.names import safe_name
from jobs.outbound import RangesBroken, RemoteFile, RemoteResponse, bounded, check_size
from jobs.workspace import Workspace

FIRST_BYTES = 10 * 1024 * 1024  # of the first range of a later attempt: the first run of most files
TYPES = MimeTypes()  # those that Python knows; a machine's own would differ
PAGES = {"text/html", "application/xhtml+xml"}
MAY_ANSWER_PAGES = {None, "text/plain", "text/x-python", *PAGES}  # .pl and .py are programs there


@dataclass(frozen=True)
class RemoteParams:
    """`name` is what the owner calls the file, `sha256` what it has to have: both may be empty.

    `in_one_go`: the file changed under an earlier attempt. Perhaps it always seems to, as where
    each of many servers has an ETag of its own for it.
    """

    url: str
    threads: int
    name: str = ""
    sha256: str = ""
    in_one_go: bool = False


def name_of(url: str) -> str:
    """What a link calls its file: the end of its path, or else the host."""
    parts = urlsplit(url)
    name = PurePosixPath(parts.path).name
    with suppress(UnicodeError):  # bytes that are no UTF-8 stay encoded, as in Content-Disposition
        name = unquote(name, errors="strict")
    return safe_name(name or parts.hostname or "")


def build(params: RemoteParams, work: Workspace) -> None:
    """Raises a RemoteError, StorageUnavailable or NoRoom."""
    work.say("Requesting the file")
    remote = RemoteFile(params.url, connections=params.threads)
    try:
        sha256 = _fetched(params, work, remote)
    finally:
        remote.close()
    if params.sha256 and sha256 != params.sha256:
        raise ChecksumMismatch(f"The file has SHA-256 {sha256}, not the expected one.")


def _fetched(params: RemoteParams, work: Workspace, remote: RemoteFile) -> str:
    """Its SHA-256."""
    if params.in_one_go:
        return _in_one_go(params, work, bounded(remote.whole))
    start, end = work.first_gap()
    # All of it at first: a link may be good for one request, whose answer is read to its end.
    last = None if end is None else min(start + FIRST_BYTES, end) - 1
    total = None
    try:
        answer = bounded(lambda: remote.probe(start, last))
        if answer.is_partial and answer.first == start and answer.validator:
            return _in_parallel(params, work, remote, answer)
    except RangesBroken as broken:
        work.drop_parts()
        total = broken.total
        answer = bounded(remote.whole)
    if not answer.is_whole:
        answer.close()
        answer = bounded(remote.whole)
    if total is not None and answer.total not in (None, total):
        answer.close()
        raise RemoteUnavailable(f"{answer.host} returned contradictory sizes of the file.")
    if end is not None:
        _refuse_unversioned(params, answer)
    return _in_one_go(params, work, answer)


def _refuse_unversioned(params: RemoteParams, answer: RemoteResponse) -> None:
    """Reject a response without a validator: the file had one when earlier parts were fetched."""
    if answer.lacks_validator:
        answer.close()
        _refuse_pages(params, answer)
        raise RemoteUnavailable(f"{answer.host} returned something other than the file.")


def _in_parallel(
    params: RemoteParams, work: Workspace, remote: RemoteFile, answer: RemoteResponse
) -> str:
    total = answer.total or 0
    _tell(params, work, answer)
    parts = work.parts(total, answer.validator)
    fetch = Fetch(remote, parts, total, answer.validator, threads=params.threads)
    work.say(f"Fetching from {remote.host}")
    digest = fetch.run(answer, work)
    work.say("Verifying the stored file" if parts.stored else "Storing the file")
    parts.finish(digest)
    return parts.sha256


def _in_one_go(params: RemoteParams, work: Workspace, answer: RemoteResponse) -> str:
    _tell(params, work, answer)
    work.say(f"Fetching from {answer.host}")
    came = 0
    for chunk in chunks_of(answer):
        came += len(chunk)
        check_size(came)
        work.output.write(chunk)
        work.advance(len(chunk), threads=1)
    return work.output.sha256


def _tell(params: RemoteParams, work: Workspace, answer: RemoteResponse) -> None:
    check_size(answer.total or 0)
    _refuse_pages(params, answer)
    name = params.name or (safe_name(answer.name) if answer.name else name_of(params.url))
    content_type = answer.content_type or TYPES.guess_type(name)[0] or "application/octet-stream"
    work.describe(name=name, content_type=content_type, total_bytes=answer.total)


def _refuse_pages(params: RemoteParams, answer: RemoteResponse) -> None:
    own = PurePosixPath(params.name or unquote(urlsplit(params.url).path)).name
    is_page = answer.content_type in PAGES and not answer.is_attachment
    if is_page and not _may_be_a_page(own):
        raise RemoteNotAFile(f"{answer.host} returned a web page instead of the file.")


def _may_be_a_page(name: str) -> bool:
    content_type, packed = TYPES.guess_type(name)
    return content_type in MAY_ANSWER_PAGES and not packed
