"""Choosing stored files, and asking for them as one zip."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import LimitReached
from jobs.models import FileQuerySet, StoredFile
from jobs.web import wording
from jobs.web.api_responses import asking, caller, status_of
from jobs.web.pages import terms
from jobs.web.pages.form_submit import NAME_ERRORS, new_form, number_or_dirt, sentence, start
from jobs.web.pages.shared import newest, number, page, signed_in
from jobs.web.searching import searching
from jobs.web.serializers import BundleRequest

SHOWN = 25  # files on one page
MAX_IN_ADDRESS = 200  # ticks; choose.js leaves more of them out of its searches
LETTERS = 3  # of a search that is looked for anywhere in a name; of fewer, at its beginning

# The words, one on a filter and one on a file, and how its content types begin.
TYPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "pdf": ("PDF", "PDF", ("application/pdf",)),
    "picture": ("Pictures", "Picture", ("image/",)),
    "table": (
        "Tables",
        "Table",
        (
            "text/csv",
            "application/vnd.ms-excel",
            "application/vnd.openxmlformats-officedocument.spreadsheetml",
            "application/vnd.oasis.opendocument.spreadsheet",
        ),
    ),
    "text": (
        "Text",
        "Text",
        ("text/plain", "text/html", "text/markdown", "application/json", "application/x-ndjson"),
    ),
    "sound": ("Sound", "Sound", ("audio/",)),
    "video": ("Video", "Video", ("video/",)),
    "archive": (
        "Archives",
        "Archive",
        (
            "application/zip",
            "application/x-zip",
            "application/x-tar",
            "application/gzip",
            "application/x-gzip",
            "application/x-bzip",
            "application/x-xz",
            "application/zstd",
            "application/x-7z",
            "application/vnd.rar",
            "application/x-rar",
        ),
    ),
}
SHORTER = {"NDJSON": "JSON", "JSONL": "JSON", "GEOJSON": "JSON"}
ANY_TYPE = ("", "All")

TOO_MANY = f"Choose at most {settings.MAX_FILES_PER_BUNDLE:,} files."
FILE_ERRORS = {
    "empty": "Choose at least one file.",
    "max_length": TOO_MANY,
    "": "Something that was chosen is not a file. Choose again.",
}


class Filters(forms.Form):
    """What is looked for. What is not valid is as if it were not there."""

    search = forms.CharField(required=False, max_length=255)
    type = forms.ChoiceField(required=False, choices=[(name, name) for name in TYPES])


@dataclass(frozen=True)
class Choice:
    """A file as a line of the table."""

    file: StoredFile
    tile: str  # JPG; empty where that would be too long
    word: str  # Picture
    size: str
    added: str
    is_ticked: bool


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def choose(request: HttpRequest) -> HttpResponse:
    """Search and page through the files; by POST where the ticks are too many for an address."""
    return _shop(request, request.POST or request.GET)


def ask(request: HttpRequest) -> HttpResponse:
    """Start the zip and go to its page; or the form again, with what is wrong with it."""
    name = request.POST.get("name", "").strip()
    asked: dict[str, Any] = {
        "file_ids": [number_or_dirt(text) for text in request.POST.getlist("file")]
    }
    asked |= {"name": name} if name else {}
    asked |= terms.asked(request.POST, caller(request))
    bundle = BundleRequest(data=asked, context=asking(request))
    try:
        bundle.is_valid(raise_exception=True)
        return start(request, bundle.asked())
    except ValidationError as error:
        return _shop(request, request.POST, _errors(error.get_full_details()), status=400)
    except LimitReached as error:  # what was chosen stays chosen
        return _shop(request, request.POST, {"files": str(error)}, status_of(error))


def _errors(details: Any) -> dict[str, str]:
    """One sentence for each field: `files`, `name` and `runAt`."""
    told = {}
    if "file_ids" in details:
        told["files"] = sentence(details["file_ids"], FILE_ERRORS)
    if "name" in details:
        told["name"] = sentence(details["name"], NAME_ERRORS)
    if "runAt" in details:
        told["runAt"] = sentence(details["runAt"], terms.SENTENCES["runAt"])
    return told


def _shop(
    request: HttpRequest, given: QueryDict, errors: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    """The form, with everything that was given to it still in its place."""
    filters = Filters(given)
    filters.is_valid()
    search, kind = (filters.cleaned_data.get(name, "") for name in ("search", "type"))
    mine = StoredFile.objects.visible_to(caller(request).pk)
    ticked = _ticked(mine, given)
    with searching(request, search):
        files = newest(
            _matching(mine, search, kind).by_owner(None, caller(request).pk),
            ("file_id",),
            SHOWN,
            after=_place(given.get("after")),
            before=_place(given.get("before")),
        )
    shown, now = {file.file_id for file in files.rows}, timezone.now()
    context = {
        "here": "new",
        "files": files,
        "choices": [_choice(file, file in ticked, now) for file in files.rows],
        "elsewhere": [_choice(file, True, now) for file in ticked if file.file_id not in shown],
        "search": search,
        "type": kind,
        "types": [ANY_TYPE, *((value, words[0]) for value, words in TYPES.items())],
        "name": given.get("name", ""),
        "terms": terms.offered(given, caller(request)),
        "method": "get" if len(ticked) <= MAX_IN_ADDRESS - SHOWN else "post",
        "errors": errors or {},
        "once": new_form(),
    }
    if request.htmx:  # type: ignore[attr-defined]
        context["said"] = wording.files(len(shown)) + " shown" if shown else "No matching files"
        return page(request, "jobs/_files_polled.html", context)
    return page(request, "jobs/choose.html", context, status)


def _place(text: str | None) -> dict[str, int] | None:
    file_id = number(text)
    return None if file_id is None else {"file_id": file_id}


def _ticked(mine: FileQuerySet, given: QueryDict) -> list[StoredFile]:
    ids = {number(text) for text in given.getlist("file")} - {None}
    return list(mine.filter(file_id__in=ids).order_by("-file_id")) if ids else []


def _matching(mine: FileQuerySet, search: str, kind: str) -> FileQuerySet:
    if kind:
        starts = TYPES[kind][2]
        mine = mine.filter(Q(*(("content_type__startswith", s) for s in starts), _connector=Q.OR))
    if search:
        # A pattern, not `icontains`, whose UPPER(name) Postgres knows no statistics of. Of one or
        # two letters there are no trigrams, except at the beginning.
        begins = "^" if len(search) < LETTERS else ""
        found = Q(name__iregex=begins + re.escape(search))
        if (file_id := number(search)) is not None:
            found |= Q(file_id=file_id)
        mine = mine.filter(found)
    return mine


def _choice(file: StoredFile, is_ticked: bool, now: datetime) -> Choice:
    words = (word for _, word, starts in TYPES.values() if file.content_type.startswith(starts))
    suffix = PurePosixPath(file.name).suffix.removeprefix(".").upper()
    suffix = SHORTER.get(suffix, suffix)
    return Choice(
        file=file,
        tile=suffix if len(suffix) <= 4 else "",
        word=next(words, "File"),
        size=wording.size_of(file.size_bytes),
        added=wording.added(file.created_at, now),
        is_ticked=is_ticked,
    )
