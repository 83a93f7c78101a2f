"""Receive uploads in one form, and submit the job that processes each. In chunks: see chunks.py.

Rows are written before objects, so that every object has one: an IncomingUpload during the upload,
then, in one transaction, a StoredFile and a job with the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from jobs import storage
from jobs.engine.quota import check_quota, lock_owner_quota
from jobs.engine.submission import submission_hash, submit_job
from jobs.errors import (
    BuildError,
    StorageUnavailable,
    TypeNotAllowed,
)
from jobs.kinds.base import JobParams
from jobs.kinds.upload.kind import Upload
from jobs.kinds.upload.store_space import check_store_space
from jobs.lib.database import release_database_connection
from jobs.lib.filetypes import HEAD_BYTES, filetype_matches, filetype_of
from jobs.lib.names import safe_name
from jobs.models import DownloadJob, IncomingUpload, StoredFile
from jobs.terms import Terms

log = structlog.get_logger(__name__)


def receive_upload(
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
        with storage.with_bucket_retries():
            _store(pieces, output, upload.name)
        job, is_new = _hand_over(upload, output, terms(), request_id=request_id, key=key)
    except StorageUnavailable:  # the file may be stored though the response was lost
        give_up_received(upload)
        raise
    except BaseException:
        _forget(upload, output)
        raise
    if not is_new:
        _forget(upload, output)
    return job, is_new


def _new_upload(owner: User, name: str, size_bytes: int, key: str) -> IncomingUpload:
    with transaction.atomic():
        if not (key and earlier_received_job(owner, key)):
            check_store_space(size_bytes)
            check_quota(owner, room_bytes=size_bytes, is_locked=bool(key))
        upload = IncomingUpload.objects.create(
            owner=owner, name=safe_name(name), size_bytes=size_bytes
        )
    release_database_connection()  # the file may arrive slowly
    return upload


def earlier_received_job(owner: User, key: str) -> DownloadJob | None:
    """Return the job of an earlier request with the key. Locks the owner, so duplicates wait."""
    lock_owner_quota(owner)
    return DownloadJob.objects.filter(owner=owner, idempotency_key=key).first()


def _store(pieces: Iterable[bytes], output: storage.S3Output, name: str) -> None:
    head = b""
    for piece in pieces:
        if len(head) < HEAD_BYTES:
            head += piece
            if len(head) >= HEAD_BYTES:
                check_received_type(head, name)
        output.write(piece)
    if len(head) < HEAD_BYTES:
        check_received_type(head, name)
    output.finish()


def check_received_type(head: bytes, name: str) -> None:
    """Raises TypeNotAllowed. An early check; the job checks the whole file."""
    if not filetype_matches(content_type := filetype_of(head, name), settings.UPLOAD_TYPES):
        raise TypeNotAllowed(f"Files of type {content_type} are not allowed.")


def _hand_over(
    upload: IncomingUpload, output: storage.S3Output, terms: Terms, *, request_id: str, key: str
) -> tuple[DownloadJob, bool]:
    request_hash = (
        submission_hash(Upload.name, upload.name, output.sha256, terms.as_requested())
        if key
        else ""
    )
    upload.size_bytes, upload.sha256 = output.size_bytes, output.sha256
    upload.terms = terms.as_json()
    with transaction.atomic():
        job, is_new = submit_received(upload, request_id, key, request_hash)
        if not is_new:
            transaction.set_rollback(True)
    return job, is_new


def submit_received(
    upload: IncomingUpload, request_id: str, key: str, request_hash: str
) -> tuple[DownloadJob, bool]:
    """Replace the upload by a job, within a transaction. Return it, and whether it is new.

    Raises StorageUnavailable if the upload took so long that the dispatcher may be deleting it.
    """
    params: JobParams = {"key": upload.key}
    if upload.upload_id:
        params |= {"upload_id": upload.upload_id, "chunk_bytes": upload.chunk_bytes}
    if upload.sha256:
        params["sha256"] = upload.sha256
    lock_owner_quota(upload.owner)
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
    return submit_job(
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
        give_up_received(upload)
    else:
        IncomingUpload.objects.filter(pk=upload.pk).delete()


def give_up_received(upload: IncomingUpload) -> None:
    """Mark the upload as abandoned. The dispatcher deletes it."""
    IncomingUpload.objects.filter(pk=upload.pk).give_up()
