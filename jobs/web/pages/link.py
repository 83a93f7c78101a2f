"""Asking for the file that a link leads to."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods
from rest_framework.exceptions import ValidationError

from jobs.errors import BlockedAddress, LimitReached
from jobs.outbound.targets import MAX_URL_CHARS
from jobs.web import wording
from jobs.web.api_responses import asking, caller, own_job, status_of
from jobs.web.pages import terms
from jobs.web.pages.form_submit import NAME_ERRORS, new_form, number_or_dirt, sentence, start
from jobs.web.pages.shared import page, signed_in
from jobs.web.serializers import THREADS, RemoteRequest

FIELDS = ("url", "output", "threads", "sha256")
NO_LINK = "Paste the link of a file."
SENTENCES: dict[str, dict[str, str]] = {
    "url": {
        "required": NO_LINK,
        "blank": NO_LINK,
        "max_length": f"A link has at most {MAX_URL_CHARS:,} characters.",
    },
    "output": NAME_ERRORS,
    "threads": {"": "From 1 to 16."},
    "sha256": {"": "A SHA-256 has 64 digits and letters from a to f."},
} | terms.SENTENCES


class Earlier(forms.Form):
    """A job whose link is to be changed. What is not valid is as if it were not there."""

    job = forms.UUIDField(required=False)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def link(request: HttpRequest) -> HttpResponse:
    """`?url=` fills the form in, as does `?job=`, whose link then is in no address."""
    return _ask(request) if request.method == "POST" else _form(request, _given(request))


def _ask(request: HttpRequest) -> HttpResponse:
    """Start fetching and go to its page; or the form again, with what is wrong with it."""
    given = _given(request)
    asked: dict[str, Any] = {name: text for name, text in given.items() if text}
    if "threads" in asked:
        asked["threads"] = number_or_dirt(asked["threads"])
    asked |= terms.asked(request.POST, caller(request))
    remote = RemoteRequest(data=asked, context=asking(request))
    try:
        remote.is_valid(raise_exception=True)
        return start(request, remote.asked())
    except ValidationError as error:
        errors = _errors(error.get_full_details())
        return _form(request, given, errors, HTTPStatus.BAD_REQUEST)
    except BlockedAddress as error:
        errors = _errors_beside_the_link(request, asked) | {"url": str(error)}
        return _form(request, given, errors, HTTPStatus.UNPROCESSABLE_ENTITY)
    except LimitReached as error:
        return _form(request, given, {"form": str(error)}, status_of(error))


def _given(request: HttpRequest) -> dict[str, str]:
    given = request.POST or request.GET
    earlier = _earlier(request) if request.method != "POST" else {}
    return {name: str(earlier.get(name, given.get(name, ""))).strip() for name in FIELDS}


def _earlier(request: HttpRequest) -> dict[str, Any]:
    """What was asked for by a link of the caller's."""
    form = Earlier(request.GET)
    form.is_valid()
    job_id: UUID | None = form.cleaned_data.get("job")
    job = own_job(request, job_id) if job_id else None
    return job.params if job and job.kind == "remote" else {}


def _errors_beside_the_link(request: HttpRequest, asked: dict[str, Any]) -> dict[str, str]:
    """Where the link may not be fetched nothing else was read."""
    rest = {name: text for name, text in asked.items() if name != "url"}
    remote = RemoteRequest(data=rest, context=asking(request))
    remote.is_valid()
    return _errors(ValidationError(remote.errors).get_full_details())


def _errors(details: Any) -> dict[str, str]:
    """One sentence for each field."""
    return {
        name: sentence(details[name], told) for name, told in SENTENCES.items() if name in details
    }


def _form(
    request: HttpRequest,
    given: dict[str, str],
    errors: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """The form, with everything that was given to it still in its place."""
    errors = errors or {}
    threads = given["threads"] or str(THREADS)
    chosen = terms.offered(request.POST or request.GET, caller(request))
    context = {
        "here": "new",
        "terms": chosen,
        "given": given | {"threads": threads},
        "errors": errors,
        "is_open": bool(given["sha256"] or threads != str(THREADS) or chosen.run_at),
        "max_url_chars": MAX_URL_CHARS,
        "most": wording.limit_of(settings.REMOTE_MAX_BYTES),
        "kept": wording.seconds(settings.RESULT_KEPT_SECONDS),
        "once": new_form(),
    }
    return page(request, "jobs/link.html", context, status)
