"""The parts of a zip's page."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from jobs.errors import SourceMissing
from jobs.kinds.bundle.sources import bundle_source_ids
from jobs.kinds.page_parts import Contents, Remedy, page_curl_json
from jobs.kinds.registry import kind_sources
from jobs.lib.file_size import file_size_text
from jobs.models import DownloadJob, StoredFile
from jobs.web.wording.number_text import files_text as number_of_files

LISTED = 20  # files of a zip
MAX_CHOSEN_AGAIN = 300  # file ids that surely fit into a URL
MAX_COPIED = 100  # file ids in a command to copy


def bundle_page_contents(job: DownloadJob) -> Contents:
    """Return the first files of the zip with their sizes, and how many more there are."""
    sources = bundle_source_ids(job.params)
    file_ids = [each for each in sources[:LISTED] if isinstance(each, int)]
    job_ids = [each for each in sources[:LISTED] if isinstance(each, str)]
    found = {
        file.file_id: file for file in kind_sources(job.kind, {"file_ids": file_ids}, job.owner)
    }
    files = tuple(_file(file_id, found.get(file_id)) for file_id in file_ids)
    files += _results(job, job_ids)
    return Contents(number_of_files(len(sources)), files=files, more=len(sources) - len(files))


def _file(file_id: int, file: StoredFile | None) -> tuple[str, str]:
    return (file.name, file_size_text(file.size_bytes)) if file else (str(file_id), "not found")


def _results(job: DownloadJob, job_ids: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the results of other jobs. Makes no query for stored files alone."""
    if not job_ids:
        return ()
    jobs = DownloadJob.objects.of_owner(job.owner_id).select_related("artifact")
    found = jobs.defer("params").in_bulk(list(map(UUID, job_ids)))
    return tuple(_result(job_id, found.get(UUID(job_id))) for job_id in job_ids)


def _result(job_id: str, job: DownloadJob | None) -> tuple[str, str]:
    if job is None:
        return job_id, "not found"
    if job.artifact:
        return job.artifact.name, file_size_text(job.artifact.size_bytes)
    return job.name, "not found" if job.is_finished else "not ready yet"


def bundle_page_curl(job: DownloadJob) -> str:
    """Return nothing if it is too long, or if it fails for the same missing files."""
    if len(bundle_source_ids(job.params)) > MAX_COPIED or job.error_code == SourceMissing.code:
        return ""
    return page_curl_json(
        {name: ids for name, ids in job.params.items() if ids} | {"name": job.name}
    )


def bundle_page_remedy(job: DownloadJob) -> Remedy | None:
    """For a zip that failed for missing files, return the form with the other files ticked."""
    if job.error_code != SourceMissing.code:
        return None
    if len(bundle_source_ids(job.params)) > MAX_CHOSEN_AGAIN:
        return Remedy("Choose again", reverse("choose"))
    numbered = kind_sources(job.kind, job.params, job.owner).exclude(file_id=None)
    found = numbered.values_list("file_id", flat=True)
    missing = job.metadata.get("missingFileIds", [])  # a row may exist whose bytes are gone
    others = [file_id for file_id in found if file_id not in missing]
    chosen = urlencode({"file": others}, doseq=True)
    return Remedy("Choose again", f"{reverse('choose')}{'?' if chosen else ''}{chosen}")
