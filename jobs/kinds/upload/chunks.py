"""Receive uploads in chunks, and submit the job of each when no chunk is missing."""

from __future__ import annotations

from typing import IO
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from jobs import storage
from jobs.engine.quota import check_quota
from jobs.engine.submission import REUSED, submission_hash
from jobs.errors import KeyReused, SourceMissing, StorageUnavailable, TooManyUploads
from jobs.kinds.upload.kind import Upload
from jobs.kinds.upload.receive import earlier_received_job, give_up_received, submit_received
from jobs.kinds.upload.store_space import check_store_space
from jobs.lib.database import release_database_connection
from jobs.lib.names import safe_name
from jobs.models import DownloadJob, IncomingUpload, Preferences
from jobs.terms import USUAL, Terms

CHUNK_BYTES = storage.MIN_PART_BYTES  # at least; more for large files


def begin_chunks(
    owner: User,
    name: str,
    size_bytes: int,
    *,
    sha256: str = "",
    terms: Terms = USUAL,
    key: str = "",
) -> tuple[IncomingUpload | DownloadJob, bool]:
    """Start an upload in chunks. Return it, and whether it is new.

    It is not new if the same request was sent with the same idempotency key before: then it is the
    upload as it is now, or the job that replaced it. Raises what `receive_upload` raises.
    """
    upload = IncomingUpload(
        owner=owner,
        name=safe_name(name),
        size_bytes=size_bytes,
        chunk_bytes=storage.multipart_part_bytes(size_bytes, least=CHUNK_BYTES),
        sha256=sha256,
        terms=Preferences.of(owner).complete(terms).as_json(),  # as they are now
        idempotency_key=key,
    )
    if key:
        upload.request_hash = submission_hash(
            Upload.name, upload.name, size_bytes, sha256, terms.as_requested()
        )
    with transaction.atomic():
        earlier = _earlier(upload)
        if isinstance(earlier, DownloadJob):
            return earlier, False
        if earlier is None:
            check_store_space(size_bytes)
            check_quota(owner, room_bytes=size_bytes, is_locked=bool(key))
            _check_open_uploads(owner)
            upload.save(force_insert=True)
    release_database_connection()  # the store may be slow
    try:
        return _opened(earlier or upload), earlier is None
    except StorageUnavailable:
        # Or it counts against the quota for a day. Not if a repeated request has opened it.
        IncomingUpload.objects.filter(pk=upload.pk, upload_id="").give_up()
        raise


def _check_open_uploads(owner: User) -> None:
    """Raises TooManyUploads. Each unfinished upload costs a row and a multipart upload."""
    most = settings.MAX_OPEN_UPLOADS
    if IncomingUpload.objects.coming().in_chunks().filter(owner=owner).count() >= most:
        sentence = f"You have {most:,} unfinished uploads, the maximum. Finish or cancel one."
        raise TooManyUploads(sentence)


def _opened(upload: IncomingUpload) -> IncomingUpload:
    if not upload.upload_id:  # an earlier try may have stopped after writing the row
        with storage.with_bucket_retries():
            upload_id = storage.MultipartUpload.begin(upload.key, content_type="").id
        IncomingUpload.objects.filter(pk=upload.pk, upload_id="").update(upload_id=upload_id)
        upload.refresh_from_db()
    return upload


def _earlier(upload: IncomingUpload) -> IncomingUpload | DownloadJob | None:
    """Return the upload or job of the same request. Raises KeyReused if the request differs."""
    if not (key := upload.idempotency_key):
        return None
    job = earlier_received_job(upload.owner, key)
    same = IncomingUpload.objects.filter(owner=upload.owner, idempotency_key=key)
    same.given_up().update(idempotency_key="")  # they cannot be continued
    earlier = same.first() or job
    if earlier and earlier.request_hash != upload.request_hash:
        raise KeyReused(REUSED)
    return earlier


def put_chunk(
    upload: IncomingUpload, chunk: int, content: IO[bytes], *, request_id: str = ""
) -> IncomingUpload | DownloadJob:
    """Store a chunk. Return the upload, or its job if no chunk is missing. Idempotent.

    Raises StorageUnavailable, and SourceMissing if the upload was abandoned or cancelled.
    """
    if not IncomingUpload.objects.coming().filter(pk=upload.pk).update(touched_at=Now()):
        return _job_of(upload.pk)
    release_database_connection()
    try:
        with storage.with_bucket_retries():
            storage.MultipartUpload(upload.key, upload.upload_id).put(
                chunk + 1, content, gone=SourceMissing
            )
    except SourceMissing:  # a job has completed the multipart upload, or it was aborted
        give_up_received(upload)
        return _job_of(upload.pk)
    with transaction.atomic():
        row = IncomingUpload.objects.coming().select_for_update().filter(pk=upload.pk).first()
        if row is None:  # abandoned, or a duplicate of this chunk came when another was the last
            return _job_of(upload.pk)
        if chunk not in row.received:
            row.received = sorted([*row.received, chunk])
        row.save(update_fields=["received"])
        if not row.is_complete:
            return row
        job, _ = submit_received(row, request_id, row.idempotency_key, row.request_hash)
        return job


def _job_of(upload_id: UUID) -> DownloadJob:
    """Return the job that replaced the upload. Raises SourceMissing."""
    job = DownloadJob.objects.select_related("owner").filter(pk=upload_id).first()
    if job is None:
        raise SourceMissing("The upload was cancelled.")
    return job


def all_chunks_received(job: DownloadJob) -> IncomingUpload:
    """Return the upload that the job replaced, complete. One that came in a form has no chunks."""
    upload = IncomingUpload(
        id=job.pk,
        owner=job.owner,
        name=job.name,
        size_bytes=job.total or 0,
        chunk_bytes=job.params.get("chunk_bytes", 0),
    )
    upload.received = list(range(upload.chunks)) if upload.chunk_bytes else []
    return upload
