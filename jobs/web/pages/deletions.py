"""Delete downloads from the list and from their page, and undo it. Works without scripts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from jobs.engine.deletions import (
    Deleted,
    Skipped,
    delete_expired_jobs,
    delete_jobs,
    undo_deletion,
)
from jobs.errors import OwnerBusy
from jobs.models import Deletion
from jobs.web.authentication import authenticated_user
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.rendering import SeeOther
from jobs.web.wording.number_text import counted_text

NAMES = ("search", "status", "kind")  # the filters that the list keeps
NOTHING = "Nothing was deleted. Select downloads first."
REASONS = {
    Skipped.ACTIVE: "in progress; cancel it first",
    Skipped.NEEDED: "needed by a download in progress",
    Skipped.NOT_FOUND: "deleted already",
}


UUIDS = forms.UUIDField(required=False)


@require_POST
@sign_in_required
def delete_from_page(request: HttpRequest) -> HttpResponse:
    """Delete the selected downloads, or all expired ones. Redirects to the list with an undo."""
    owner = authenticated_user(request)
    try:
        if request.POST.get("which") == "expired":
            deleted = delete_expired_jobs(owner)
        else:
            deleted = delete_jobs(owner, _selected(request))
    except OwnerBusy as error:
        messages.warning(request, f"{error} Try again.")
        return SeeOther(_list_url(request))
    if text := _skipped_text(deleted):
        messages.warning(request, text)
    return SeeOther(_list_url(request, deleted.deletion))


def _selected(request: HttpRequest) -> list[UUID]:
    return [found for text in request.POST.getlist("job") if (found := _uuid(text))]


def _uuid(text: str) -> UUID | None:
    """Return the id, None if the text is none."""
    try:
        found: UUID | None = UUIDS.clean(text)
    except forms.ValidationError:
        return None
    return found


def _skipped_text(deleted: Deleted) -> str:
    """Return 'Not deleted: 2 downloads needed by a download in progress.'"""
    if not deleted.skipped:
        return "" if deleted.deletion else NOTHING
    reasons = list(deleted.skipped.values())
    counts = [
        f"{counted_text(reasons.count(reason), 'download')} {text}"
        for reason, text in REASONS.items()
        if reason in reasons
    ]
    return f"Not deleted: {', '.join(counts)}."


def _list_url(request: HttpRequest, deletion: Deletion | None = None) -> str:
    """Return the URL of the list with the filters that it had, and what was deleted."""
    had, query = QueryDict(request.POST.get("query", "")[:1000]), QueryDict(mutable=True)
    for name in NAMES:
        if value := had.get(name):
            query[name] = value
    if deletion:
        query["deleted"] = str(deletion.pk)
    return f"{reverse('downloads')}?{query.urlencode()}" if query else reverse("downloads")


@require_POST
@sign_in_required
def undo_from_page(request: HttpRequest, deletion_id: UUID) -> HttpResponse:
    if restored := undo_deletion(authenticated_user(request), deletion_id):
        messages.success(request, f"Restored {counted_text(restored, 'download')}.")
    else:
        messages.warning(request, "It's too late to undo this, or it was undone already.")
    return SeeOther(_list_url(request))


def deletion_context(request: HttpRequest) -> dict[str, Any]:
    """Return the deletion in the query, with its text, if it can still be undone."""
    if not (deletion_id := _uuid(request.GET.get("deleted", ""))):
        return {}
    undoable = Deletion.objects.can_be_undone(authenticated_user(request).pk)
    if (deletion := undoable.filter(pk=deletion_id).first()) is None:
        return {}
    return {"deletion": deletion, "deletion_text": counted_text(deletion.count, "download")}
