"""Share the file of a download from its page: make links, list and revoke them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from jobs.engine.share_links import create_share_link, first_plain_link
from jobs.errors import OwnerBusy, StaleJob, TooManyLinks
from jobs.models import DownloadJob, LinkState, ShareLink
from jobs.web import wording
from jobs.web.content_negotiation import prefers_html
from jobs.web.own_job import own_job
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.rendering import SeeOther
from jobs.web.serializers.share_links import MAX_DOWNLOADS, MAX_PASSWORD_CHARS
from jobs.web.shared_links import own_share_link, share_url

# For how long; a choice needs no time zone.
PERIODS = {
    "": ("Until the file expires", None),
    "hour": ("1 hour", timedelta(hours=1)),
    "day": ("1 day", timedelta(days=1)),
    "week": ("7 days", timedelta(days=7)),
}
STATES = {
    LinkState.ACTIVE: "Works",
    LinkState.REVOKED: "Revoked",
    LinkState.USED_UP: "Used up",
    LinkState.EXPIRED: "Expired",
    LinkState.DELETED: "File deleted",
}


class ShareForm(forms.Form):
    """The limits of a new link."""

    period = forms.ChoiceField(
        required=False, choices=[(name, text) for name, (text, _) in PERIODS.items()]
    )
    downloads = forms.IntegerField(required=False, min_value=1, max_value=MAX_DOWNLOADS)
    password = forms.CharField(required=False, max_length=MAX_PASSWORD_CHARS, strip=False)

    def limits(self) -> dict[str, Any]:
        """Return the arguments of `create_share_link`."""
        data, now = self.cleaned_data, timezone.now()
        period = PERIODS[data["period"]][1]
        return {
            "expires_at": now + period if period else None,
            "max_downloads": data["downloads"],
            "password": data["password"],
        }


@dataclass(frozen=True)
class ShownLink:
    """A link as its owner sees it. Without `url`, it does not work any more."""

    link: ShareLink
    url: str
    facts: list[str]


@require_POST
@sign_in_required
def share_from_page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Make a link. With `plain`, return the URL of a link without limits, made on first use."""
    job = own_job(request, job_id)
    form = ShareForm(request.POST)
    try:
        if "plain" in request.POST:
            link = first_plain_link(job)
        elif form.is_valid():
            link = create_share_link(job, **form.limits())
        else:
            field, errors = next(iter(form.errors.items()))
            messages.warning(request, f"No link was made. {field.capitalize()}: {errors[0]}")
            return SeeOther(f"{reverse('job-page', args=[job.pk])}#share")
    except (OwnerBusy, StaleJob, TooManyLinks) as error:
        if not prefers_html(request):
            raise
        messages.warning(request, str(error))
        return SeeOther(reverse("job-page", args=[job.pk]))
    if not prefers_html(request):
        return JsonResponse({"url": share_url(request, link)})
    return SeeOther(f"{reverse('job-page', args=[job.pk])}#share")


@require_POST
@sign_in_required
def revoke_from_page(request: HttpRequest, share_id: UUID) -> HttpResponse:
    link = own_share_link(request, share_id)
    link.revoke()
    if link.job_id and DownloadJob.objects.of_owner(link.owner_id).filter(pk=link.job_id).exists():
        return SeeOther(f"{reverse('job-page', args=[link.job_id])}#share")
    return SeeOther(reverse("downloads"))


def share_context(request: HttpRequest, job: DownloadJob, now: datetime) -> dict[str, Any]:
    """Return the links of a job with their lines in its activity. Jobs without a file have none."""
    if not job.is_finished:
        return {"links": [], "share_lines": []}
    links = list(ShareLink.objects.of_job(job.pk))
    return {
        "links": [_shown(request, link, now) for link in links],
        "share_lines": wording.share_lines(links, now),
        "periods": [(name, text) for name, (text, _) in PERIODS.items()],
    }


def _shown(request: HttpRequest, link: ShareLink, now: datetime) -> ShownLink:
    state = link.state
    count = wording.counted_text(link.downloads, "download")
    if link.max_downloads is not None:
        count = f"{link.downloads:,} of {wording.counted_text(link.max_downloads, 'download')}"
    facts = [STATES[state], count]
    if link.password:
        facts.append("password")
    if link.expires_at:
        facts.append(f"until {wording.moment_text(link.expires_at, now)}")
    return ShownLink(link, share_url(request, link) if state == LinkState.ACTIVE else "", facts)
