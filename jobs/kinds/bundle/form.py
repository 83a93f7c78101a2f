"""Choose stored files, and download them as one zip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import LimitReached
from jobs.kinds.bundle.kind import FilesBundle
from jobs.lib.names import name_of_several
from jobs.models import FileQuerySet, StoredFile
from jobs.web import wording
from jobs.web.authentication import authenticated_user
from jobs.web.error_responses import error_status
from jobs.web.file_types import TYPES
from jobs.web.pages import terms
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.form_submit import (
    NAME_ERRORS,
    form_error_sentences,
    form_number_or_text,
    new_form_id,
    parse_form_number,
    submit_form,
)
from jobs.web.pages.rendering import SeeOther, render_page
from jobs.web.pages.repeat import is_repeated, repeat_fields, submit_schedule
from jobs.web.pagination import Position, paginate_newest
from jobs.web.searching import searching
from jobs.web.serializers import request_of
from jobs.web.serializers.requests import request_serializer_context

SHOWN = 25  # files on a page
MAX_IN_ADDRESS = 200  # ticked files; choose.js leaves more of them out of its searches

SHORTER = {"NDJSON": "JSON", "JSONL": "JSON", "GEOJSON": "JSON"}
ANY_TYPE = ("", "All")
# The tabs, and which of the parts of `visible_parts` each has.
TABS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("All files", ()),
    "shared": ("Shared", ("public", "group")),
    "mine": ("Mine", ("private",)),
}

TOO_MANY = f"Choose at most {settings.MAX_FILES_PER_BUNDLE:,} files."
FILE_ERRORS = {
    "empty": "Choose at least one file.",
    "max_length": TOO_MANY,
    "": "One of the selected files does not exist. Choose again.",
}
SENTENCES = {"file_ids": FILE_ERRORS, "name": NAME_ERRORS} | terms.SENTENCES


class FileFilterForm(forms.Form):
    """The filters. A value that is not valid is ignored."""

    search = forms.CharField(required=False, max_length=255)
    type = forms.ChoiceField(required=False, choices=[(name, name) for name in TYPES])
    whose = forms.ChoiceField(required=False, choices=[(name, name) for name in TABS if name])


@dataclass(frozen=True)
class ChoiceRow:
    """A file as a row of the table."""

    file: StoredFile
    tile: str  # JPG; empty if the suffix is too long
    label: str  # Picture
    size: str
    added: str
    is_ticked: bool
    previews: list[ChoiceRow]  # made of it, folded

    @property
    def is_open(self) -> bool:
        return any(preview.is_ticked for preview in self.previews)


@require_http_methods(["GET", "HEAD", "POST"])
@sign_in_required
def bundle_form(request: HttpRequest) -> HttpResponse:
    """Show the files, filtered. A search is a POST if too many are ticked for a URL."""
    return _render(request, request.POST or request.GET)


def submit_bundle_form(request: HttpRequest) -> HttpResponse:
    """Start the bundle and redirect to its page, or show the form with its errors."""
    name = request.POST.get("name", "").strip()
    data: dict[str, Any] = {
        "file_ids": [form_number_or_text(text) for text in request.POST.getlist("file")]
    }
    is_named = bool(name)
    if name := name or _name_of_files(request, data["file_ids"]):
        data["name"] = name
    data |= terms.serializer_data(request.POST, authenticated_user(request))
    bundle = request_of(FilesBundle)(data=data, context=request_serializer_context(request))
    try:
        bundle.is_valid(raise_exception=True)
        if is_repeated(request.POST):
            return submit_schedule(request, bundle)
        if not is_named and (file_id := _only_file(bundle.validated_data)):
            return _redirect_to_file(request, file_id)
        return submit_form(request, bundle.submission())
    except ValidationError as error:
        return _render(request, request.POST, _errors(error.get_full_details()), status=400)
    except LimitReached as error:
        return _render(request, request.POST, {"files": str(error)}, error_status(error))


def _only_file(bundle: dict[str, Any]) -> int | None:
    """Return the file of a bundle of one that starts now: it needs no zip."""
    file_ids: list[int] = bundle["file_ids"]
    return file_ids[0] if len(file_ids) == 1 and not bundle.get("runAt") else None


def _name_of_files(request: HttpRequest, file_ids: list[Any]) -> str:
    """Return a name of what is inside; empty if that is not known."""
    numbers = [each for each in dict.fromkeys(file_ids) if isinstance(each, int)]
    visible = StoredFile.objects.visible_to(authenticated_user(request).pk).numbered(numbers)
    names = dict(visible.values_list("file_id", "name"))
    return (
        name_of_several([names[each] for each in numbers])
        if numbers and len(names) == len(numbers)
        else ""
    )


def _redirect_to_file(request: HttpRequest, file_id: int) -> HttpResponse:
    """Redirect to the file itself, or show the form with an error if it does not exist."""
    visible = StoredFile.objects.visible_to(authenticated_user(request).pk)
    if not visible.filter(file_id=file_id).exists():
        return _render(request, request.POST, {"files": FILE_ERRORS[""]}, status=400)
    return SeeOther(reverse("file-content", args=[file_id]))


def _errors(details: Any) -> dict[str, str]:
    """Return one sentence for each field: `files`, `name` and `runAt`."""
    errors = form_error_sentences(details, SENTENCES)
    if "file_ids" in errors:
        errors["files"] = errors.pop("file_ids")
    return errors


def _render(
    request: HttpRequest, form: QueryDict, errors: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    """Render the form with the values that were submitted."""
    filters = FileFilterForm(form)
    filters.is_valid()
    search, kind, whose = (
        filters.cleaned_data.get(name, "") for name in ("search", "type", "whose")
    )
    user_id = authenticated_user(request).pk
    ticked = _ticked(StoredFile.objects.visible_to(user_id), form)
    with searching(request, search):
        files = paginate_newest(
            [_matching(part, search, kind) for part in _parts(user_id, whose)],
            ("file_id",),
            SHOWN,
            after=_position(form.get("after")),
            before=_position(form.get("before")),
        )
    previews, now = _previews(user_id, files.rows), timezone.now()
    shown = {file.file_id for file in [*files.rows, *chain(*previews.values())]}
    context = {
        "here": "new",
        "files": files,
        "choices": [
            _row(file, ticked, now, previews.get(file.made_by_id, ())) for file in files.rows
        ],
        "elsewhere": [_row(file, ticked, now) for file in ticked if file.file_id not in shown],
        "search": search,
        "type": kind,
        "whose": whose,
        "tabs": [(value, words[0]) for value, words in TABS.items()],
        "types": [ANY_TYPE, *((value, words[0]) for value, words in TYPES.items())],
        "name": form.get("name", ""),
        "terms": terms.field_values(form, authenticated_user(request)),
        "repeat": repeat_fields(form),
        "method": "get" if len(ticked) <= MAX_IN_ADDRESS - SHOWN else "post",
        "errors": errors or {},
        "once": new_form_id(),
    }
    if request.htmx:  # type: ignore[attr-defined]
        context["said"] = (
            f"{wording.files_text(len(files.rows))} shown" if shown else "No matching files"
        )
        return render_page(request, "jobs/_files_polled.html", context)
    return render_page(request, "jobs/choose.html", context, status)


def _position(text: str | None) -> Position | None:
    file_id = parse_form_number(text)
    return None if file_id is None else {"file_id": file_id}


def _parts(user_id: int, whose: str) -> list[FileQuerySet]:
    parts = StoredFile.objects.visible_parts(user_id, TABS[whose][1])
    return [part.listed() for part in parts]


def _previews(user_id: int, files: Iterable[StoredFile]) -> dict[Any, list[StoredFile]]:
    """Return the previews by the job that made them with one of the files, in one query."""
    jobs = {file.made_by_id for file in files} - {None}
    if not jobs:
        return {}
    found: defaultdict[Any, list[StoredFile]] = defaultdict(list)
    previews = StoredFile.objects.visible_to(user_id).previews().filter(made_by__in=jobs)
    for file in previews.order_by("file_id"):
        found[file.made_by_id].append(file)
    return found


def _ticked(files: FileQuerySet, form: QueryDict) -> list[StoredFile]:
    ids = {parse_form_number(text) for text in form.getlist("file")} - {None}
    return list(files.filter(file_id__in=ids).order_by("-file_id")) if ids else []


def _matching(files: FileQuerySet, search: str, kind: str) -> FileQuerySet:
    if kind:
        files = files.of_types(TYPES[kind][2])
    return files.found_by(search) if search else files


def _row(
    file: StoredFile,
    ticked: Collection[StoredFile],
    now: datetime,
    previews: Iterable[StoredFile] = (),
) -> ChoiceRow:
    labels = (label for _, label, starts in TYPES.values() if file.content_type.startswith(starts))
    suffix = PurePosixPath(file.name).suffix.removeprefix(".").upper()
    suffix = SHORTER.get(suffix, suffix)
    return ChoiceRow(
        file=file,
        tile=suffix if len(suffix) <= 4 else "",
        label=next(labels, "File"),
        size=wording.file_size_text(file.size_bytes),
        added=wording.added_text(file.created_at, now),
        is_ticked=file in ticked,
        previews=[_row(preview, ticked, now) for preview in previews],
    )
