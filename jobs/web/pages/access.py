"""Who may see a page: sign-in, rate limits, and the page for a rejected CSRF token."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Concatenate, ParamSpec
from urllib.parse import quote

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import REASON_CSRF_TOKEN_MISSING
from django.urls import reverse

from jobs.kinds.base import Kind
from jobs.kinds.form import form_url_name
from jobs.kinds.registry import KINDS
from jobs.web.error_responses import error_response
from jobs.web.throttle import throttle_request

FORMS_WITHOUT_JOB = {  # `choose` posts a search with many ticks
    *("choose", "settings", "settings-email", "settings-password", "theme"),
    "delivery-resend",
    "settings-create-key",
    "settings-revoke-key",
    *("schedule-pause", "schedule-resume", "schedule-delete"),
    *("delete-downloads", "undo-delete", "share-job", "revoke-share"),
}
MAX_URL_CHARS = 3_500  # the web server accepts a request line of 4,094
COOKIES_ARE_OFF = "This site needs cookies. Allow them in your browser, and try again."
COOKIE_IS_GONE = "A cookie of this page was deleted or blocked. Reload the page."
OTHER_SITE = "The form was sent from another site, or your browser hides where it came from."
FORM_IS_CUT = "The form has no CSRF token. Reload the page; an extension may have removed it."
OLD_FORM = "This page was open for too long, or you signed in again."

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def sign_in_required(view: View[P]) -> View[P]:
    """Redirect to the sign-in page without a session; answer a poll with 401.

    Counts the request in its rate limit. A form counts as the API request that it stands for.
    """

    @wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.user.is_authenticated:
            throttle_request(request, _scope(request))
            return view(request, *args, **kwargs)
        if "HX-Request" in request.headers:
            return HttpResponse(status=HTTPStatus.UNAUTHORIZED)
        return redirect_to_login(sign_in_return_url(request))

    return inner


def _scope(request: HttpRequest) -> str:
    """Return the rate limit that the request counts in. Most forms start a job."""
    name = request.resolver_match.url_name if request.resolver_match else ""
    if request.method != "POST" or name in FORMS_WITHOUT_JOB:
        return "page"
    kind = _kind_of_form(name)
    return kind.rate if kind else "initiate"


def _kind_of_form(url_name: str | None) -> Kind | None:
    """Return the kind whose form is posted to that URL."""
    for kind in KINDS.values():
        posted_to = "downloads" if kind.downloads_post_view else form_url_name(kind)
        if url_name and url_name == posted_to:
            return kind
    return None


def sign_in_return_url(request: HttpRequest) -> str:
    """Return where to continue after sign-in. The values of a form are kept in the query."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    match = request.resolver_match
    if match and "job_id" in match.kwargs:
        return reverse("job-page", args=[match.kwargs["job_id"]])
    if match and (match.url_name or "").startswith("settings"):
        return reverse("settings")
    kind = _kind_of_form(match.url_name) if match else None
    if kind is None:
        return reverse("choose")
    form_url = reverse(form_url_name(kind))
    return form_url if kind.form_is_private else _with_values(request, form_url)


def _with_values(request: HttpRequest, form_url: str) -> str:
    """Return the URL of the form with its values; without them if that is too long."""
    values = request.POST.copy()
    values.pop("csrfmiddlewaretoken", None)
    url = f"{form_url}?{values.urlencode()}"
    return url if len(quote(url)) <= MAX_URL_CHARS else form_url


def csrf_failure_page(request: HttpRequest, reason: str = "", **_: str) -> HttpResponse:
    """Return the page that explains why the form was rejected. `reason` is Django's."""
    detail = f"{_csrf_cause(request, reason)} Nothing was changed."
    return error_response(request, 403, "csrf", detail, back=sign_in_return_url(request))


def _csrf_cause(request: HttpRequest, reason: str) -> str:
    if "CSRF cookie" in reason:
        return COOKIE_IS_GONE if request.COOKIES else COOKIES_ARE_OFF
    if "Origin" in reason or "Referer" in reason:
        return OTHER_SITE
    if REASON_CSRF_TOKEN_MISSING in reason:
        return FORM_IS_CUT
    return OLD_FORM  # usually: signed in again in another tab
