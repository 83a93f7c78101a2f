"""Forms of the settings page: a new email address, which a mailed link confirms; a new password.

Both ask for the current password, if the account has one, and count wrong ones as sign-ins are.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.forms import CharField, EmailField, Form
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from jobs.models import (
    AccountNotice,
    Notification,
    Preferences,
    can_be_mailed,
    cancel_email_change,
    confirm_email_change,
    request_email_change,
)
from jobs.notifications.account_links import read_email_confirmation
from jobs.web.authentication import authenticated_user
from jobs.web.pages.access import sign_in_required
from jobs.web.pages.rendering import SeeOther, render_page
from jobs.web.pages.settings import settings_form
from jobs.web.problems import Problem
from jobs.web.throttle import (
    throttle_account_mail,
    throttle_request,
    throttle_sign_in,
    unthrottle_sign_in,
)

MAX_PASSWORD_CHARS = 1_000
WRONG = "This is not your current password."
THROTTLED = "throttled"


def check_current_password(request: HttpRequest, user: User, password: str) -> None:
    """Raise ValidationError if it is wrong, or if there were too many wrong ones."""
    try:
        throttle_sign_in(request, user.get_username())
    except Problem as error:
        raise ValidationError(str(error.detail), THROTTLED) from error
    if not user.check_password(password):
        raise ValidationError(WRONG, "password_incorrect")
    unthrottle_sign_in(request, user)


class EmailForm(Form):
    """The new address, and the current password if the account has one."""

    email = EmailField(
        max_length=254,
        error_messages={
            "required": "Enter an email address.",
            "invalid": "Enter a valid email address.",
            "max_length": "Use at most 254 characters.",
        },
    )
    password = CharField(
        strip=False,
        max_length=MAX_PASSWORD_CHARS,
        error_messages={"required": "Enter your current password.", "max_length": WRONG},
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.POST)
        self.request, self.user = request, authenticated_user(request)
        if not self.user.has_usable_password():
            del self.fields["password"]

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        if email == self.user.email:
            raise ValidationError("This is already your address.", "same")
        return email

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        check_current_password(self.request, self.user, password)
        return password

    def clean(self) -> None:
        """Count the mail, once nothing else is wrong."""
        if self.errors:
            return
        try:
            throttle_account_mail(self.request, self.cleaned_data["email"])
        except Problem as error:
            self.add_error("email", ValidationError(str(error.detail), THROTTLED))


class PasswordForm(PasswordChangeForm):
    """The current password, and the new one twice."""

    request: HttpRequest

    def clean_old_password(self) -> str:
        password = str(self.cleaned_data["old_password"])
        check_current_password(self.request, self.user, password)
        return password


@require_POST
@sign_in_required
def change_email(request: HttpRequest) -> HttpResponse:
    """Mail a link to the new address, or cancel that."""
    user = authenticated_user(request)
    if "cancel" in request.POST:
        cancel_email_change(user)
        return SeeOther(reverse("settings"))
    if not settings.MAIL_IS_ON:
        raise Http404
    form = EmailForm(request)
    if not form.is_valid():
        return settings_form(request, Preferences.of(user), _status(form), email_form=form)
    request_email_change(user, form.cleaned_data["email"])
    messages.success(request, f"We sent a link to {form.cleaned_data['email']}.")
    return SeeOther(reverse("settings"))


@require_POST
@sign_in_required
def change_password(request: HttpRequest) -> HttpResponse:
    """Change the password. All other sessions and tokens of the account end."""
    user = authenticated_user(request)
    if not user.has_usable_password():
        raise Http404
    form = PasswordForm(user, request.POST)
    form.request = request
    if not form.is_valid():
        return settings_form(request, Preferences.of(user), _status(form), password_form=form)
    form.save()
    update_session_auth_hash(request, user)
    unthrottle_sign_in(request, user)  # remembers the device: its mark was of the old password
    if can_be_mailed(user):
        notice = AccountNotice.PASSWORD_CHANGED
        Notification.objects.record_account_notice(notice, to=user.email, owner=user)
    messages.success(request, "Password changed. Your other sessions and tokens were ended.")
    return SeeOther(reverse("settings"))


def _status(form: Form | PasswordForm) -> HTTPStatus:
    codes = {error["code"] for errors in form.errors.get_json_data().values() for error in errors}
    return HTTPStatus.TOO_MANY_REQUESTS if THROTTLED in codes else HTTPStatus.BAD_REQUEST


@require_http_methods(["GET", "HEAD", "POST"])
def confirm_email(request: HttpRequest) -> HttpResponse:
    """Show the page of the link in the mail; its button confirms the address.

    Needs no session: the mail may be read on another device. Mail scanners follow links, too,
    but press no buttons.
    """
    throttle_request(request, "page")
    confirmation = read_email_confirmation(request.GET.get("token", ""))
    context: dict[str, Any] = {"confirmation": confirmation}
    if confirmation and request.method == "POST":
        user = confirm_email_change(
            confirmation.owner_id, old_digest=confirmation.old_digest, new=confirmation.new
        )
        context |= {"confirmation": user and confirmation, "is_done": user is not None}
    status = HTTPStatus.OK if context["confirmation"] else HTTPStatus.BAD_REQUEST
    return render_page(request, "confirm_email.html", context, status)
