"""Receive uploads, in one form or in chunks, and submit the job that processes each.

Rows are written before objects, so that every object has one: an IncomingUpload during the upload,
then, in one transaction, a StoredFile and a job with the same id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import IO
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from jobs import storage
from jobs.engine.quota import check_limits, lock_owner
from jobs.engine.submission import REUSED, hash_of, submit
from jobs.errors import (
    BuildError,
    KeyReused,
    SourceMissing,
    StorageUnavailable,
    StoreFull,
    TooManyUploads,
    TypeNotAllowed,
)
from jobs.kinds.base import Params
from jobs.kinds.upload.kind import Upload
from jobs.lib.database import release_connection
from jobs.lib.filetypes import HEAD_BYTES, is_among, type_of
from jobs.lib.names import safe_name
from jobs.models import DownloadJob, IncomingUpload, Preferences, StoredFile
from jobs.terms import USUAL, Terms

log = structlog.get_logger(__name__)

NEARLY_FULL = 0.9  # of STORE_BYTES
MEASURED_SECONDS = 60  # for which the sum of all files is cached
CHUNK_BYTES = storage.MIN_PART_BYTES  # at least; more for large files


# In one form


def receive(
    owner: User,
    name: str,
    pieces: Iterable[bytes],
    *,
    most_bytes: int,
    terms: Callable[[], Terms] = Terms,
    request_id: str = "",
    key: str = "",
) -> tuple[DownloadJob, bool]:
    """Store a file as it arrives, and submit its job. Return the job, and whether it is new.

    `most_bytes` is an upper limit of its size. `terms` is called last: in a form, they may follow
    the file. Raises what `pieces` and `terms` raise, and LimitReached, TypeNotAllowed, KeyReused,
    StorageUnavailable; nothing is kept then, except for the dispatcher to delete.
    """
    upload = _new_upload(owner, name, most_bytes, key)
    output = storage.S3Output(
        upload.key, content_type="", expected_bytes=most_bytes, is_one_of_many=True
    )
    try:
        with storage.with_retries():
            _store(pieces, output, upload.name)
        job, is_new = _hand_over(upload, output, terms(), request_id=request_id, key=key)
    except StorageUnavailable:  # the file may be stored though the response was lost
        give_up(upload)
        raise
    except BaseException:
        _forget(upload, output)
        raise
    if not is_new:
        _forget(upload, output)
    return job, is_new


def _new_upload(owner: User, name: str, size_bytes: int, key: str) -> IncomingUpload:
    with transaction.atomic():
        if not (key and _earlier_job(owner, key)):
            _check_store(size_bytes)
            check_limits(owner, room_bytes=size_bytes, is_locked=bool(key))
        upload = IncomingUpload.objects.create(
            owner=owner, name=safe_name(name), size_bytes=size_bytes
        )
    release_connection()  # the file may arrive slowly
    return upload


def _earlier_job(owner: User, key: str) -> DownloadJob | None:
    """Return the job of an earlier request with the key. Locks the owner, so duplicates wait."""
    lock_owner(owner)
    return DownloadJob.objects.filter(owner=owner, idempotency_key=key).first()


def _store(pieces: Iterable[bytes], output: storage.S3Output, name: str) -> None:
    head = b""
    for piece in pieces:
        if len(head) < HEAD_BYTES:
            head += piece
            if len(head) >= HEAD_BYTES:
                check_type(head, name)
        output.write(piece)
    if len(head) < HEAD_BYTES:
        check_type(head, name)
    output.finish()


def check_type(head: bytes, name: str) -> None:
    """Raises TypeNotAllowed. An early check; the job checks the whole file."""
    if not is_among(content_type := type_of(head, name), settings.UPLOAD_TYPES):
        raise TypeNotAllowed(f"Files of type {content_type} are not allowed.")


def _hand_over(
    upload: IncomingUpload, output: storage.S3Output, terms: Terms, *, request_id: str, key: str
) -> tuple[DownloadJob, bool]:
    request_hash = (
        hash_of(Upload.name, upload.name, output.sha256, terms.as_requested()) if key else ""
    )
    upload.size_bytes, upload.sha256 = output.size_bytes, output.sha256
    upload.terms = terms.as_json()
    with transaction.atomic():
        job, is_new = _submitted(upload, request_id, key, request_hash)
        if not is_new:
            transaction.set_rollback(True)
    return job, is_new


def _submitted(
    upload: IncomingUpload, request_id: str, key: str, request_hash: str
) -> tuple[DownloadJob, bool]:
    """Replace the upload by a job, within a transaction. Return it, and whether it is new.

    Raises StorageUnavailable if the upload took so long that the dispatcher may be deleting it.
    """
    params: Params = {"key": upload.key}
    if upload.upload_id:
        params |= {"upload_id": upload.upload_id, "chunk_bytes": upload.chunk_bytes}
    if upload.sha256:
        params["sha256"] = upload.sha256
    lock_owner(upload.owner)
    if not IncomingUpload.objects.coming().filter(pk=upload.pk).delete()[0]:
        raise StorageUnavailable("The upload took too long.")
    StoredFile.objects.create(
        owner=upload.owner,
        key=upload.key,
        name=upload.name,
        size_bytes=upload.size_bytes,
        crc32=0,
        made_by_id=upload.pk,  # the constraint is checked at the end of the transaction
        role=StoredFile.Role.UPLOAD,
        expires_at=Now(),  # active jobs keep it
    )
    return submit(
        owner=upload.owner,
        kind=Upload.name,
        params=params,
        name=upload.name,
        terms=Terms.of_json(upload.terms),
        request_id=request_id,
        key=key,
        job_id=upload.pk,
        request_hash=request_hash,
        is_locked=True,
    )


def _forget(upload: IncomingUpload, output: storage.S3Output) -> None:
    """Delete the object, then the row. If that fails, the dispatcher deletes both later."""
    if StoredFile.objects.filter(key=upload.key).exists():
        return  # the commit succeeded, though its response was lost: a job needs the object
    try:
        output.discard()
    except BuildError as error:
        log.warning("left for the dispatcher to collect", key=upload.key, error=repr(error))
        give_up(upload)
    else:
        IncomingUpload.objects.filter(pk=upload.pk).delete()


# In chunks


def begin(
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
    upload as it is now, or the job that replaced it. Raises what `receive` raises.
    """
    upload = IncomingUpload(
        owner=owner,
        name=safe_name(name),
        size_bytes=size_bytes,
        chunk_bytes=storage.part_bytes(size_bytes, least=CHUNK_BYTES),
        sha256=sha256,
        terms=Preferences.of(owner).complete(terms).as_json(),  # as they are now
        idempotency_key=key,
    )
    if key:
        upload.request_hash = hash_of(
            Upload.name, upload.name, size_bytes, sha256, terms.as_requested()
        )
    with transaction.atomic():
        earlier = _earlier(upload)
        if isinstance(earlier, DownloadJob):
            return earlier, False
        if earlier is None:
            _check_store(size_bytes)
            check_limits(owner, room_bytes=size_bytes, is_locked=bool(key))
            _check_open_uploads(owner)
            upload.save(force_insert=True)
    release_connection()  # the store may be slow
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
        with storage.with_retries():
            upload_id = storage.MultipartUpload.begin(upload.key, content_type="").id
        IncomingUpload.objects.filter(pk=upload.pk, upload_id="").update(upload_id=upload_id)
        upload.refresh_from_db()
    return upload


def _earlier(upload: IncomingUpload) -> IncomingUpload | DownloadJob | None:
    """Return the upload or job of the same request. Raises KeyReused if the request differs."""
    if not (key := upload.idempotency_key):
        return None
    job = _earlier_job(upload.owner, key)
    same = IncomingUpload.objects.filter(owner=upload.owner, idempotency_key=key)
    same.given_up().update(idempotency_key="")  # they cannot be continued
    earlier = same.first() or job
    if earlier and earlier.request_hash != upload.request_hash:
        raise KeyReused(REUSED)
    return earlier


def put(
    upload: IncomingUpload, chunk: int, content: IO[bytes], *, request_id: str = ""
) -> IncomingUpload | DownloadJob:
    """Store a chunk. Return the upload, or its job if no chunk is missing. Idempotent.

    Raises StorageUnavailable, and SourceMissing if the upload was abandoned or cancelled.
    """
    if not IncomingUpload.objects.coming().filter(pk=upload.pk).update(touched_at=Now()):
        return _job_of(upload.pk)
    release_connection()
    try:
        with storage.with_retries():
            storage.MultipartUpload(upload.key, upload.upload_id).put(
                chunk + 1, content, gone=SourceMissing
            )
    except SourceMissing:  # a job has completed the multipart upload, or it was aborted
        give_up(upload)
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
        job, _ = _submitted(row, request_id, row.idempotency_key, row.request_hash)
        return job


def _job_of(upload_id: UUID) -> DownloadJob:
    """Return the job that replaced the upload. Raises SourceMissing."""
    job = DownloadJob.objects.select_related("owner").filter(pk=upload_id).first()
    if job is None:
        raise SourceMissing("The upload was cancelled.")
    return job


def completed_upload(job: DownloadJob) -> IncomingUpload:
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


def give_up(upload: IncomingUpload) -> None:
    """Mark the upload as abandoned. The dispatcher deletes it."""
    IncomingUpload.objects.filter(pk=upload.pk).give_up()


# The store as a whole

_measured = (-float(MEASURED_SECONDS), 0)


def _check_store(size_bytes: int) -> None:
    """Raises StoreFull."""
    global _measured
    if not settings.STORE_BYTES:
        return
    at, used = _measured
    if time.monotonic() - at > MEASURED_SECONDS:
        used = StoredFile.objects.all().bytes() + IncomingUpload.objects.bytes()
        _measured = time.monotonic(), used
    if used + size_bytes > NEARLY_FULL * settings.STORE_BYTES:
        raise StoreFull("The file store is nearly full. Try again later, or ask an operator.")
