"""Read the sources of a bundle from the database."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.errors import SourceMissing
from jobs.kinds import Source
from jobs.kinds.base import JobParams
from jobs.kinds.bundle.sources import bundle_source_ids, bundle_sources
from jobs.models import StoredFile

FEW_FILES = 100  # more are read with a cursor
SHOWN_IDS = 20  # in an error message; the rest is counted
MAX_RECORDED = 1_000  # numbers of missing files in the job's metadata


def load_bundle_sources(params: JobParams, owner_id: int) -> list[Source]:
    """Return the sources in the requested order. Another owner's file is missing, too."""
    found: dict[object, Source] = {}
    ids = bundle_source_ids(params)
    for file in _files(params, owner_id):
        found[file.file_id] = _source(file)
        if file.role == StoredFile.Role.ARTIFACT:  # not its previews
            found[str(file.made_by_id)] = found[file.file_id]
    if missing := [each for each in ids if each not in found]:
        numbers = [each for each in missing if isinstance(each, int)][:MAX_RECORDED]
        raise SourceMissing(_missing_sentence(missing), facts={"missingFileIds": numbers})
    return list(dict.fromkeys(found[each] for each in ids))


def _files(params: JobParams, owner_id: int) -> Iterable[StoredFile]:
    if len(params["file_ids"]) > FEW_FILES or params.get("job_ids"):
        return StoredFile.objects.read_by(bundle_sources(params), owner_id).iterator()
    return StoredFile.objects.few_visible_to(owner_id, params["file_ids"])


def _source(file: StoredFile) -> Source:
    return Source(
        label=f"File {file.file_id}" if file.file_id else file.name,
        key=file.key,
        bucket=file.bucket,
        name=file.name,
        size_bytes=file.size_bytes,
        crc32=file.crc32,
        made_at=file.created_at,
        file_id=file.file_id,
    )


def _missing_sentence(missing: list[int | str]) -> str:
    """Ids of jobs are text, numbers of files are none."""
    if len(missing) == 1:
        what = "The result of download" if isinstance(missing[0], str) else "File"
        return f"{what} {missing[0]} could not be found."
    shown = ", ".join(map(str, missing[:SHOWN_IDS]))
    more = f" and {len(missing) - SHOWN_IDS} more" if len(missing) > SHOWN_IDS else ""
    return f"These files could not be found: {shown}{more}."
