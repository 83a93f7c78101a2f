"""Rate limits of requests: who is counted, and the response 429."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from jobs.lib.accounts import username_field
from jobs.web import devices, rate_counting, rates
from jobs.web.problems import Problem
from jobs.web.rate_counting import RatesUnknown
from jobs.web.rates import RateCount
from jobs.web.sign_in_window import sign_in_wait_seconds

if TYPE_CHECKING:  # DRF loads this module while it makes that one
    from rest_framework.views import APIView

SIGN_IN, ACCOUNT_MAIL, SHARE_PASSWORD = "sign-in", "account-mail", "share-password"
MUST_COUNT = {SIGN_IN, ACCOUNT_MAIL, SHARE_PASSWORD}  # refused while Redis is down
OF_ACCOUNT = {
    "account",
    "account-address",
}  # count wrong passwords; others all attempts
CLOSED = (
    "The service's cache does not respond, so only a few sign-ins a minute are possible."
    " Try again in {} s."
)
UNCOUNTED = "This is not possible right now. Try again soon."


def throttle_request(request: HttpRequest | Request, scope: str) -> None:
    """Count this request for its owner and its address. Raises Problem 429 beyond a rate.

    An anonymous client is counted by its address. While Redis is down requests pass uncounted,
    except sign-ins, of which each process then allows a few: a password guesser may have stopped
    Redis.
    """
    request = getattr(request, "_request", request)  # the one that middleware sees
    _count(request, scope, _callers(request))


def throttle_sign_in(request: HttpRequest | Request, username: str) -> None:
    """Count an attempt to sign in. Raises Problem 429 beyond a rate.

    Without Redis this process counts: Problem 503 beyond a few attempts a minute.
    Wrong passwords from one address do not lock out others. A device that signed in to the account
    before is counted by itself.
    """
    http_request: Any = getattr(request, "_request", request)
    http_request.sign_in_callers = _sign_in_callers(http_request, username)
    _count(http_request, SIGN_IN, http_request.sign_in_callers)


def _sign_in_callers(request: Any, username: str) -> dict[str, str]:
    device = devices.known_device(request, username)
    if device and any(rate.who == "device" for rate in rates.parse_rates(SIGN_IN)):
        return {"device": f"{device} {username}"}
    callers = _callers(request)
    # Lower-case ASCII only: Postgres, which `_has_twin` queries, folds other letters differently.
    account = username.encode(errors="replace").lower().decode()
    return callers | {"account": account, "account-address": f"{callers['address']} {account}"}


def unthrottle_sign_in(request: HttpRequest | Request, user: User) -> None:
    """Remember the device, and do not count the attempt: the password was right."""
    request = getattr(request, "_request", request)
    callers: dict[str, str] = getattr(request, "sign_in_callers", {})
    of_account = {who: name for who, name in callers.items() if who in OF_ACCOUNT}
    if not _has_twin(user):
        rate_counting.uncount_in_rates(SIGN_IN, of_account)
    devices.remember_device(request, user)


def throttle_account_mail(request: HttpRequest, email: str) -> None:
    """Count a request to mail this address. Raises Problem 429 beyond a rate, 503 without Redis.

    Whether an account has the address makes no difference.
    """
    account = email.encode(errors="replace").lower().decode()
    _count(request, ACCOUNT_MAIL, _callers(request) | {"account": account})


def throttle_share_password(request: HttpRequest | Request, link_id: str) -> None:
    """Count an attempt to open a link. Raises Problem 429 beyond a rate, 503 without Redis."""
    request = getattr(request, "_request", request)
    _count(request, SHARE_PASSWORD, _link_callers(request, link_id))


def unthrottle_share_password(request: HttpRequest | Request, link_id: str) -> None:
    """Do not count the attempt: the password was right."""
    request = getattr(request, "_request", request)
    callers = _link_callers(request, link_id)
    of_link = {who: name for who, name in callers.items() if who in OF_ACCOUNT}
    rate_counting.uncount_in_rates(SHARE_PASSWORD, of_link)


def _link_callers(request: Any, link_id: str) -> dict[str, str]:
    address = _callers(request)["address"]
    return {"address": address, "account": link_id, "account-address": f"{address} {link_id}"}


def _has_twin(user: User) -> bool:
    """Return whether another account shares this one's counter, as names ignore case there."""
    same = get_user_model()._default_manager.filter(
        **{f"{username_field()}__iexact": user.get_username()}
    )
    return same.exclude(pk=user.pk).exists()


def _count(request: Any, scope: str, callers: dict[str, str]) -> None:
    try:
        counts = _counted_before(request, scope) or rate_counting.count_in_rates(
            scope, callers, must_know=scope in MUST_COUNT
        )
    except RatesUnknown as error:
        if scope == SIGN_IN:
            _count_in_process(callers)
        elif scope in MUST_COUNT:
            raise _closed(UNCOUNTED, 5) from error
        return
    request.rate_counts = [
        *getattr(request, "rate_counts", []),
        *counts,
    ]  # for `set_throttle_headers`
    if exceeded := [count for count in counts if count.is_exceeded]:
        raise _too_many(exceeded)


def _count_in_process(callers: dict[str, str]) -> None:
    seconds = math.ceil(sign_in_wait_seconds(callers))
    if seconds:
        raise _closed(CLOSED.format(seconds), seconds)


def _closed(sentence: str, seconds: int) -> Problem:
    headers = {"Retry-After": str(seconds)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "sign_in_closed", sentence, headers)


def _counted_before(request: Any, scope: str) -> list[RateCount]:
    """Return what a native endpoint counted before it left the request to Django."""
    counts: dict[str, list[RateCount]] = request.META.get("jobs.rate_counts", {})
    return counts.get(scope, [])


def _callers(request: Any) -> dict[str, str]:
    user = getattr(request, "user", None)
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return rates.rated_callers(peer, forwarded, user.pk if user else None)


def _too_many(exceeded: list[RateCount]) -> Problem:
    seconds = max(count.resets_in_seconds for count in exceeded)
    rate = exceeded[0].rate
    sentence = f"At most {rate.most:,} requests in {rate.seconds} s. Try again in {seconds} s."
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS, "throttled", sentence, {"Retry-After": str(seconds)}
    )


class Throttle(BaseThrottle):
    """Counts a POST in the scope that its view names, and any other request as a poll."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        scope = getattr(view, "rate", "poll") if request.method == "POST" else "poll"
        if scope == SIGN_IN:
            throttle_sign_in(request, _username(request))
        else:
            throttle_request(request, scope)
        return True


def _username(request: Request) -> str:
    """Return the username in the body. An unreadable body is counted as an attempt, too."""
    try:
        username = request.data.get("username") if isinstance(request.data, dict) else None
    except APIException:
        throttle_sign_in(request, "")
        raise
    return username if isinstance(username, str) else ""


def set_throttle_headers(request: HttpRequest, response: HttpResponse) -> None:
    """Set the RateLimit headers of the response, if the request was counted."""
    for name, value in rates.rate_headers(getattr(request, "rate_counts", [])).items():
        response[name] = value
