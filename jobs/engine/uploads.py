"""Taking files in: begin, receive, and hand over to a job when all of it is here.

A row comes first, so that nothing that was stored is ever without one: an Upload while the file is
coming, then a StoredFile and the job of the same id, which take its place in one transaction.
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
from jobs.engine.quota import check_limits, one_at_a_time
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
from jobs.kinds.registry import Params
from jobs.lib.database import release_connection
from jobs.lib.filetypes import HEAD_BYTES, is_among, type_of
from jobs.lib.names import safe_name
from jobs.models import UPLOAD, DownloadJob, IncomingUpload, Preferences, StoredFile
from jobs.terms import USUAL, Terms

log = structlog.get_logger(__name__)

NEARLY_FULL = 0.9  # of STORE_BYTES
MEASURED_SECONDS = 60  # how long the sum of all files is taken for true
CHUNK_BYTES = storage.MIN_PART_BYTES  # the more the file weighs, the larger they get


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
    """Store a file as it comes, and submit the job that processes it; whether that is new.

    `most_bytes` is what it may weigh, as far as one knows before. `terms` are asked for last: they
    may stand behind the file. What asking and `pieces` raise, passes.
    Raises LimitReached, TypeNotAllowed, KeyReused, StorageUnavailable; then nothing is kept, or
    only for the dispatcher to delete.
    """
    upload = _begun(owner, name, most_bytes, key)
    output = storage.S3Output(
        upload.key, content_type="", expected_bytes=most_bytes, is_one_of_many=True
    )
    try:
        with storage.with_retries():
            _store(pieces, output, upload.name)
        job, is_new = _hand_over(upload, output, terms(), request_id=request_id, key=key)
    except StorageUnavailable:  # it may have stored more than it answered
        give_up(upload)
        raise
    except BaseException:
        _forget(upload, output)
        raise
    if not is_new:
        _forget(upload, output)
    return job, is_new


def _begun(owner: User, name: str, size_bytes: int, key: str) -> IncomingUpload:
    with transaction.atomic():
        if not (key and _made_before(owner, key)):
            _check_store(size_bytes)
            check_limits(owner, room_bytes=size_bytes)
        upload = IncomingUpload.objects.create(
            owner=owner, name=safe_name(name), size_bytes=size_bytes
        )
    release_connection()  # the rest may come slowly
    return upload


def _made_before(owner: User, key: str) -> DownloadJob | None:
    """Takes the owner's lock, so that a double of the request is not overlooked."""
    one_at_a_time(owner)
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
    """Raises TypeNotAllowed. For an early word; the job looks for itself."""
    if not is_among(content_type := type_of(head, name), settings.UPLOAD_TYPES):
        raise TypeNotAllowed(f"Files of type {content_type} are not taken.")


def _hand_over(
    upload: IncomingUpload, output: storage.S3Output, terms: Terms, *, request_id: str, key: str
) -> tuple[DownloadJob, bool]:
    request_hash = hash_of(UPLOAD, upload.name, output.sha256, terms.as_requested()) if key else ""
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
    """The job that takes the upload's place. Within a transaction.

    Raises StorageUnavailable where it took so long that the dispatcher may be deleting it.
    """
    params: Params = {"key": upload.key}
    if upload.upload_id:
        params |= {"upload_id": upload.upload_id, "chunk_bytes": upload.chunk_bytes}
    if upload.sha256:
        params["sha256"] = upload.sha256
    one_at_a_time(upload.owner)
    if not IncomingUpload.objects.coming().filter(pk=upload.pk).delete()[0]:
        raise StorageUnavailable("The file took too long to come.")
    StoredFile.objects.create(
        owner=upload.owner,
        key=upload.key,
        name=upload.name,
        size_bytes=upload.size_bytes,
        crc32=0,
        made_by_id=upload.pk,  # Postgres looks for it when the transaction ends
        role=StoredFile.Role.UPLOAD,
        expires_at=Now(),  # the job holds it
    )
    return submit(
        owner=upload.owner,
        kind=UPLOAD,
        params=params,
        name=upload.name,
        terms=Terms.of_json(upload.terms),
        request_id=request_id,
        key=key,
        job_id=upload.pk,
        request_hash=request_hash,
    )


def _forget(upload: IncomingUpload, output: storage.S3Output) -> None:
    """The object first: should that not be possible now, the dispatcher finds the row."""
    if StoredFile.objects.filter(key=upload.key).exists():
        return  # the commit got through, and only its answer was lost: a job wants the object
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
    """Make ready for the chunks of a file; whether this is new.

    It is not, where the same was asked for with the same idempotency key before: then it is the
    upload as far as it has come, or the job that it became. Raises as `receive` does.
    """
    upload = IncomingUpload(
        owner=owner,
        name=safe_name(name),
        size_bytes=size_bytes,
        chunk_bytes=storage.part_bytes(size_bytes, least=CHUNK_BYTES),
        sha256=sha256,
        terms=Preferences.of(owner).complete(terms).as_json(),  # of now, not of its last chunk
        idempotency_key=key,
    )
    if key:
        upload.request_hash = hash_of(UPLOAD, upload.name, size_bytes, sha256, terms.as_requested())
    with transaction.atomic():
        earlier = _earlier(upload)
        if isinstance(earlier, DownloadJob):
            return earlier, False
        if earlier is None:
            _check_store(size_bytes)
            check_limits(owner, room_bytes=size_bytes)  # takes the owner's lock
            _check_open_uploads(owner)
            upload.save(force_insert=True)
    release_connection()  # the store may be slow
    try:
        return _opened(earlier or upload), earlier is None
    except StorageUnavailable:
        # Or it takes its owner's room for a day. The same request may have come again, though.
        IncomingUpload.objects.filter(pk=upload.pk, upload_id="").give_up()
        raise


def _check_open_uploads(owner: User) -> None:
    """Raises TooManyUploads. Each unfinished upload costs a row and an upload in the store."""
    most = settings.MAX_OPEN_UPLOADS
    if IncomingUpload.objects.coming().in_chunks().filter(owner=owner).count() >= most:
        sentence = f"You have {most:,} unfinished uploads, the maximum. Finish or cancel one."
        raise TooManyUploads(sentence)


def _opened(upload: IncomingUpload) -> IncomingUpload:
    if not upload.upload_id:  # an earlier try may have got no further than its row
        with storage.with_retries():
            upload_id = storage.MultipartUpload.begin(upload.key, content_type="").id
        IncomingUpload.objects.filter(pk=upload.pk, upload_id="").update(upload_id=upload_id)
        upload.refresh_from_db()
    return upload


def _earlier(upload: IncomingUpload) -> IncomingUpload | DownloadJob | None:
    """What the same request began before. Raises KeyReused if it was another one."""
    if not (key := upload.idempotency_key):
        return None
    job = _made_before(upload.owner, key)
    same = IncomingUpload.objects.filter(owner=upload.owner, idempotency_key=key)
    same.given_up().update(idempotency_key="")  # there is no going on with it
    earlier = same.first() or job
    if earlier and earlier.request_hash != upload.request_hash:
        raise KeyReused(REUSED)
    return earlier


def put(
    upload: IncomingUpload, chunk: int, content: IO[bytes], *, request_id: str = ""
) -> IncomingUpload | DownloadJob:
    """Store a chunk; the job, if it was the last one missing. Once more is well.

    Raises StorageUnavailable; SourceMissing where the upload is over, or was given up.
    """
    if not IncomingUpload.objects.coming().filter(pk=upload.pk).update(touched_at=Now()):
        return _became(upload.pk)
    release_connection()
    try:
        with storage.with_retries():
            storage.MultipartUpload(upload.key, upload.upload_id).put(
                chunk + 1, content, gone=SourceMissing
            )
    except SourceMissing:  # a job has put the parts together, or somebody threw them away
        give_up(upload)
        return _became(upload.pk)
    with transaction.atomic():
        row = IncomingUpload.objects.coming().select_for_update().filter(pk=upload.pk).first()
        if row is None:  # given up, or the same chunk came twice, and another was the last one
            return _became(upload.pk)
        if chunk not in row.received:
            row.received = sorted([*row.received, chunk])
        row.save(update_fields=["received"])
        if not row.is_complete:
            return row
        job, _ = _submitted(row, request_id, row.idempotency_key, row.request_hash)
        return job


def _became(upload_id: UUID) -> DownloadJob:
    job = DownloadJob.objects.select_related("owner").filter(pk=upload_id).first()
    if job is None:
        raise SourceMissing("The upload was given up.")
    return job


def as_it_came(job: DownloadJob) -> IncomingUpload:
    """What a complete upload in chunks was; one that came in a form has no chunks."""
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
    """Nobody goes on with it; the dispatcher deletes what has come."""
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
