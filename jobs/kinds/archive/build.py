"""Build a ZIP archive of objects in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from stat import S_IFREG

from stream_zip import (
    NO_COMPRESSION_64,
    ZIP_AUTO,
    MemberFile,
    Method,
    ZipIntegrityError,
    stream_zip,
)

from jobs.errors import ArchiveTooLarge, SourceChanged
from jobs.kinds.archive.member_names import zip_member_names
from jobs.storage import MAX_OBJECT_BYTES
from jobs.workspace import CHUNK_BYTES, NOT_AS_STORED, Source, Workspace

MODE = S_IFREG | 0o644
MAX_HELD_BYTES = 8 * 1024 * 1024  # of a file whose CRC is unknown
# In the two fields for a member's time: years of seven bits from 1980, and a signed Unix time.
FIRST_TIME = datetime(1980, 1, 2, tzinfo=UTC)
LAST_TIME = datetime(2038, 1, 18, tzinfo=UTC)


@dataclass(frozen=True)
class BundleParams:
    """`is_measured` is True if the sizes were known when the job was created."""

    sources: tuple[Source, ...]
    is_measured: bool = True


def build_zip(params: BundleParams, work: Workspace) -> None:
    """Zip the sources in the given order.

    Streams into storage: only a few chunks are in memory, however large the files are.
    Raises SourceMissing if a file is gone, SourceChanged if its bytes are not those recorded,
    NoRoom if sizes that were unknown before exceed the quota, and ArchiveTooLarge.
    """
    sources = work.measured(params.sources)
    total_bytes = sum(source.size_bytes or 0 for source in sources)
    if total_bytes > MAX_OBJECT_BYTES:
        raise ArchiveTooLarge("The files together exceed 5 TiB, the maximum size of a zip.")
    if not params.is_measured:
        work.describe(total_bytes=total_bytes)
    begun: list[Source] = []
    try:
        with work.read_ahead(sources):
            members = _members(sources, work, begun)
            for chunk in stream_zip(members, chunk_size=CHUNK_BYTES):
                work.output.write(chunk)
    except ZipIntegrityError as error:
        raise SourceChanged(f"{begun[-1].display_name} {NOT_AS_STORED}") from error


def _members(
    sources: Sequence[Source], work: Workspace, begun: list[Source]
) -> Iterator[MemberFile]:
    for number, (source, name) in enumerate(
        zip(sources, zip_member_names(sources), strict=True), 1
    ):
        begun.append(source)
        work.say(f"Adding {number} of {len(sources)}: {name}")
        yield name, _made_at(source), MODE, _method(source), _whole(source, work.chunks(source))


def _method(source: Source) -> Method:
    """Return how to write a member: stored, its size and CRC before its bytes, if possible.

    Stored, because the inputs are mostly compressed already. Without the CRC, a small file is held
    in memory to compute it. A larger one is deflated without compression, with a data descriptor
    behind it: many readers refuse those of stored members, and Java's refuses 64-bit ones.
    """
    size_bytes = source.size_bytes or 0
    if source.crc32 is not None:
        return NO_COMPRESSION_64(size_bytes, source.crc32)
    if size_bytes <= MAX_HELD_BYTES:
        return NO_COMPRESSION_64
    return ZIP_AUTO(size_bytes, level=0)


def _whole(source: Source, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks. Raises SourceChanged if they do not have the size of the source.

    Without the CRC, nothing else notices.
    """
    left = source.size_bytes or 0
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise SourceChanged(f"{source.display_name} {NOT_AS_STORED}")


def _made_at(source: Source) -> datetime:
    """Return a time that a zip can hold."""
    made_at = source.made_at or FIRST_TIME
    return min(max(made_at, FIRST_TIME), LAST_TIME)
