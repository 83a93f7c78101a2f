"""Kind `bundle`: stored files in, one ZIP archive out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from stat import S_IFREG

from stream_zip import NO_COMPRESSION_64, MemberFile, ZipIntegrityError, stream_zip

from jobs.errors import SourceChanged
from jobs.lib.names import collision_key, safe_name, split_name
from jobs.workspace import CHUNK_BYTES, NOT_AS_STORED, Source, Workspace

MODE = S_IFREG | 0o644


@dataclass(frozen=True)
class BundleParams:
    """`is_measured` says that what they weigh was known when the job was asked for."""

    sources: tuple[Source, ...]
    is_measured: bool = True


def build(params: BundleParams, work: Workspace) -> None:
    """Zip the stored files in the order asked for.

    Streams into storage: a few chunks are in memory at a time, whatever the files weigh.
    Raises SourceMissing for a file that is gone, SourceChanged for one that is not as recorded,
    NoRoom where there is too little for what nobody could measure before.
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
    # the bytes, because some readers refuse stored entries that tell them afterwards.
    for number, (source, name) in enumerate(zip(sources, member_names(sources), strict=True), 1):
        begun.append(source)
        work.say(f"Adding {number} of {len(sources)}: {name}")
        method = NO_COMPRESSION_64(source.size_bytes, source.crc32)
        yield name, source.made_at, MODE, method, work.chunks(source)


def member_names(sources: Iterable[Source]) -> Iterator[str]:
    """Yield a safe name for each source, unique inside the archive on any file system.

    Later ones that clash are numbered: `a.txt`, `a (2).txt`. Case does not tell names apart, nor
    do other ways to write an accent.
    """
    taken: dict[str, int] = {}
    for source in sources:
        name = wanted = safe_name(source.name)
        stem, suffix = split_name(wanted)
        copy = taken.get(collision_key(wanted), 1)
        while collision_key(name) in taken:
            copy += 1
            name = f"{stem} ({copy}){suffix}"
        taken[collision_key(wanted)] = copy  # where to go on counting; a long run stays linear
        taken.setdefault(collision_key(name), 1)
        yield name
