"""Reset a forgotten password by mail: Django's views and tokens.

The response is the same whether an account has the address or not: the mail's sender looks it up.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordResetConfirmView, PasswordResetView
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from django.views.decorators.http import require_safe

from jobs.models import AccountNotice, Notification, can_be_mailed
from jobs.web.pages.rendering import render_page
from jobs.web.problems import Problem
from jobs.web.request_limits import SHORT_BODY_BYTES
from jobs.web.throttle import throttle_account_mail, throttle_request

METHODS = ["get", "head", "post", "options"]  # Django's have PUT


class ResetForm(PasswordResetForm):
    """The address of an account."""

    def save(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Queue the request for the mail's sender."""
        notice = AccountNotice.PASSWORD_RESET
        Notification.objects.record_account_notice(notice, to=self.cleaned_data["email"])


class PasswordReset(PasswordResetView):
    template_name = "password_reset.html"
    form_class = ResetForm
    success_url = reverse_lazy("password-reset-sent")
    http_method_names = METHODS
    max_body_bytes = SHORT_BODY_BYTES

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        require_mail()
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            throttle_account_mail(self.request, form.cleaned_data["email"])
        except Problem as error:
            form.add_error("email", ValidationError(str(error.detail)))
            return self._show(form, error.status_code)
        return super().form_valid(form)

    def form_invalid(self, form: Form) -> HttpResponse:
        return self._show(form, HTTPStatus.BAD_REQUEST)

    def _show(self, form: Form, status: int) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=status)


@require_safe
def password_reset_sent(request: HttpRequest) -> HttpResponse:
    require_mail()
    return render_page(request, "password_reset_sent.html", {})


def require_mail() -> None:
    """Raise Http404 where no mail can be sent."""
    if not settings.MAIL_IS_ON:
        raise Http404


class NewPassword(PasswordResetConfirmView):
    """The page of the link in the mail. Its token is in the query: access logs have none."""

    template_name = "new_password.html"
    success_url = reverse_lazy("sign-in")
    http_method_names = METHODS
    max_body_bytes = SHORT_BODY_BYTES

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        throttle_request(request, "page")
        # Django keeps the token in the session, and redirects to this URL without it.
        token = request.GET.get("token", self.reset_url_token)
        return super().dispatch(request, *args, token=token, **kwargs)

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        response = super().form_valid(form)
        user = form.user
        if can_be_mailed(user):
            notice = AccountNotice.PASSWORD_CHANGED
            Notification.objects.record_account_notice(notice, to=user.email, owner=user)
        messages.success(self.request, "Password changed. Sign in with the new one.")
        return response
