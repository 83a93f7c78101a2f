"""Kind `bundle`: build a ZIP archive of stored files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from stat import S_IFREG

from stream_zip import NO_COMPRESSION_64, MemberFile, ZipIntegrityError, stream_zip

from jobs.errors import SourceChanged
from jobs.lib.names import name_collision_key, safe_name, split_name
from jobs.workspace import CHUNK_BYTES, NOT_AS_STORED, Source, Workspace

MODE = S_IFREG | 0o644


@dataclass(frozen=True)
class BundleParams:
    """`is_measured` is True if the sizes were known when the job was created."""

    sources: tuple[Source, ...]
    is_measured: bool = True


def build_zip(params: BundleParams, work: Workspace) -> None:
    """Zip the stored files in the requested order.

    Streams into storage: only a few chunks are in memory, however large the files are.
    Raises SourceMissing if a file is gone, SourceChanged if its bytes are not those recorded,
    NoRoom if sizes that were unknown before exceed the quota.
    """
    if not params.is_measured:
        work.describe(total_bytes=sum(source.size_bytes for source in params.sources))
    begun: list[Source] = []
    try:
        with work.read_ahead(params.sources):
            members = _members(params.sources, work, begun)
            for chunk in stream_zip(members, chunk_size=CHUNK_BYTES):
                work.output.write(chunk)
    except ZipIntegrityError as error:
        raise SourceChanged(f"{begun[-1].label} {NOT_AS_STORED}") from error


def _members(
    sources: tuple[Source, ...], work: Workspace, begun: list[Source]
) -> Iterator[MemberFile]:
    # Stored, not deflated: the inputs are mostly compressed already. Size and CRC come before
    # the bytes, because some readers refuse stored entries with a data descriptor.
    for number, (source, name) in enumerate(
        zip(sources, zip_member_names(sources), strict=True), 1
    ):
        begun.append(source)
        work.say(f"Adding {number} of {len(sources)}: {name}")
        method = NO_COMPRESSION_64(source.size_bytes, source.crc32)
        yield name, source.made_at, MODE, method, work.chunks(source)


def zip_member_names(sources: Iterable[Source]) -> Iterator[str]:
    """Yield a safe name for each source, unique inside the archive on any file system.

    Duplicates are numbered: `a.txt`, `a (2).txt`. Names that differ only in case, or in how an
    accent is composed, are duplicates.
    """
    taken: dict[str, int] = {}
    for source in sources:
        name = original = safe_name(source.name)
        stem, suffix = split_name(original)
        copy = taken.get(name_collision_key(original), 1)
        while name_collision_key(name) in taken:
            copy += 1
            name = f"{stem} ({copy}){suffix}"
        taken[name_collision_key(original)] = (
            copy  # continue here next time, which keeps this linear
        )
        taken.setdefault(name_collision_key(name), 1)
        yield name
