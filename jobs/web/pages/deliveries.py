"""The page with the user's webhook deliveries, those of one download, and sending one again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from jobs.models import DownloadJob, Notification
from jobs.web import wording
from jobs.web.authentication import authenticated_user
from jobs.web.deliveries import MAX_DELIVERIES, RATE, own_delivery, resend_delivery
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.rendering import SeeOther, render_page
from jobs.web.problems import Problem
from jobs.web.throttle import throttle_request


@require_safe
@sign_in_required
def deliveries_page(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    found = Notification.objects.deliveries(authenticated_user(request))[:MAX_DELIVERIES]
    notices = [wording.notice_texts(each, now) for each in found]
    context = {"notices": notices, "most": MAX_DELIVERIES}
    return render_page(request, "jobs/deliveries.html", context)


def job_deliveries(job: DownloadJob, now: datetime) -> list[wording.Notice]:
    """Return the texts about the mails and webhooks of a job."""
    if not (job.email or job.webhook):
        return []
    found = job.notifications.order_by("-created_at")[:MAX_DELIVERIES]
    return [wording.notice_texts(each, now) for each in found]


@require_POST
@sign_in_required
def resend_from_page(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    """Send it again, then return to where the button was."""
    throttle_request(request, RATE)
    delivery = own_delivery(request, delivery_id)
    try:
        resend_delivery(delivery)
        messages.success(request, "The webhook is being sent again.")
    except Problem as error:
        messages.warning(request, str(error.detail))
    if request.POST.get("from") == "job" and delivery.job_id:
        return SeeOther(reverse("job-page", args=[delivery.job_id]))
    return SeeOther(reverse("deliveries"))
