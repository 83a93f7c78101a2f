"""The page of one stored file, and the file itself."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from jobs import storage
from jobs.kinds.page_parts import Detail
from jobs.lib.database import release_database_connection
from jobs.models import StoredFile
from jobs.web import wording
from jobs.web.authentication import authenticated_user
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.media import media_of_file
from jobs.web.pages.rendering import render_page
from jobs.web.problems import Problem
from jobs.web.result_files import redirect_to_file


@require_safe
@sign_in_required
def stored_file_page(request: HttpRequest, file_id: int) -> HttpResponse:
    file, now = _visible_file(request, file_id), timezone.now()
    content = reverse("file-content", args=[file_id])
    context = {
        "here": "new",
        "file": file,
        "facts": _facts(file, now),
        "size": wording.file_size_text(file.size_bytes),
        "content": content,
        "media": media_of_file(file, content),
    }
    return render_page(request, "jobs/stored_file.html", context)


@require_safe
@sign_in_required
def stored_file_content(request: HttpRequest, file_id: int) -> HttpResponseRedirect:
    """Redirect to the file in the store."""
    file = _visible_file(request, file_id)
    release_database_connection()  # the store may be slow
    if not storage.object_exists(
        file.key, file.size_bytes, bucket_name=file.bucket, etag=file.etag
    ):
        raise Problem(HTTPStatus.GONE, "artifact_gone", "The file no longer exists.")
    return redirect_to_file(file, request.method or "GET")


def _visible_file(request: HttpRequest, file_id: int) -> StoredFile:
    """Return the file. Raises Http404 if there is none, or if it is another user's."""
    found = StoredFile.objects.visible_to(authenticated_user(request).pk)
    file = found.filter(file_id=file_id).first()
    if file is None:
        raise Http404("This file does not exist.")
    return file


def _facts(file: StoredFile, now: datetime) -> list[Detail]:
    facts = [Detail("Folder", file.folder)] if file.folder else []
    facts += [
        Detail("Size", wording.file_size_text(file.size_bytes)),
        Detail("Type", file.content_type),
        Detail("Added", wording.moment_text(file.created_at, now), file.created_at),
        Detail("File no.", str(file.file_id)),
    ]
    if file.expires_at:
        facts.append(
            Detail("Kept until", wording.moment_text(file.expires_at, now), file.expires_at)
        )
    return [*facts, Detail("SHA-256", file.sha256)]
