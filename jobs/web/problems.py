"""The exception for problem responses (RFC 9457), and all their codes.

Imports nothing of ours: DRF loads it while it loads itself, with our parser and renderer.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from rest_framework import exceptions

PROBLEM = "application/problem+json"
MAX_ERRORS = 20  # in one response


class Meaning(NamedTuple):
    status: HTTPStatus
    sentence: str  # for the OpenAPI document; the `detail` of a response says more


S = HTTPStatus
# Clients depend on these. Codes may be added, but never renamed or given another status.
CODES: dict[str, Meaning] = {
    "invalid": Meaning(S.BAD_REQUEST, "The request is not valid; `errors` names the fields."),
    "parse_error": Meaning(S.BAD_REQUEST, "The body is not valid JSON, or not a valid form."),
    "no_file": Meaning(S.BAD_REQUEST, "The form has no file."),
    "not_authenticated": Meaning(S.UNAUTHORIZED, "Authentication is required."),
    "authentication_failed": Meaning(S.UNAUTHORIZED, "The credentials are wrong."),
    "bad_authorization_header": Meaning(S.UNAUTHORIZED, "Write `Authorization: Bearer <token>`."),
    "token_not_valid": Meaning(S.UNAUTHORIZED, "The token is expired, revoked or invalid."),
    "no_active_account": Meaning(S.UNAUTHORIZED, "No active account has this name and password."),
    "key_not_valid": Meaning(S.UNAUTHORIZED, "The API key is unknown, revoked or expired."),
    "user_not_found": Meaning(S.UNAUTHORIZED, "The token's account was deleted."),
    "user_inactive": Meaning(S.UNAUTHORIZED, "The account of the token or key is disabled."),
    "password_changed": Meaning(S.UNAUTHORIZED, "The password was changed since the token."),
    "untrusted_gateway": Meaning(S.UNAUTHORIZED, "The header is not from the gateway."),
    "bad_username": Meaning(S.UNAUTHORIZED, "The gateway's header has no valid username."),
    "permission_denied": Meaning(S.FORBIDDEN, "This belongs to another user, or is for staff."),
    "insufficient_scope": Meaning(
        S.FORBIDDEN, "The API key lacks a scope, which `WWW-Authenticate` names."
    ),
    "key_not_accepted": Meaning(S.FORBIDDEN, "API keys are not accepted here."),
    "csrf": Meaning(S.FORBIDDEN, "The CSRF token is missing or wrong."),
    "wrong_password": Meaning(S.FORBIDDEN, "The link needs a password, and this is not it."),
    "not_found": Meaning(S.NOT_FOUND, "There is nothing at this URL."),
    "method_not_allowed": Meaning(S.METHOD_NOT_ALLOWED, "`Allow` lists the supported methods."),
    "not_acceptable": Meaning(S.NOT_ACCEPTABLE, "Responses are JSON, which `Accept` excludes."),
    "slow_headers": Meaning(S.REQUEST_TIMEOUT, "The headers did not arrive in time."),
    "slow_body": Meaning(S.REQUEST_TIMEOUT, "The body did not arrive in time."),
    "conflict": Meaning(S.CONFLICT, "The job's status does not allow this."),
    "still_open": Meaning(S.CONFLICT, "An earlier request of yours is still being processed."),
    "not_ready": Meaning(S.CONFLICT, "The job is still active. Keep polling."),
    "job_failed": Meaning(S.CONFLICT, "The job failed; `detail` is its `error`."),
    "makes_no_file": Meaning(S.CONFLICT, "Jobs of this kind do work and make no file."),
    "cancelled": Meaning(S.GONE, "The job was cancelled and has no file."),
    "expired": Meaning(S.GONE, "The file expired. A retry recreates it."),
    "artifact_gone": Meaning(S.GONE, "The file is no longer in the store."),
    "link_revoked": Meaning(S.GONE, "The owner revoked the link."),
    "link_used_up": Meaning(S.GONE, "The link's number of downloads is used up."),
    "link_expired": Meaning(S.GONE, "The link or its file expired."),
    "link_deleted": Meaning(S.GONE, "The file of the link was deleted."),
    "too_large": Meaning(S.REQUEST_ENTITY_TOO_LARGE, "The body is too large."),
    "address_too_long": Meaning(S.REQUEST_URI_TOO_LONG, "The URL has too many bytes."),
    "unsupported_media_type": Meaning(S.UNSUPPORTED_MEDIA_TYPE, "Send `application/json`."),
    "type_not_allowed": Meaning(
        S.UNPROCESSABLE_ENTITY, "The content of the file has a type that is not allowed."
    ),
    "idempotency_key_reused": Meaning(
        S.UNPROCESSABLE_ENTITY, "The `Idempotency-Key` was used for a different request."
    ),
    "blocked_address": Meaning(S.UNPROCESSABLE_ENTITY, "The link points to a private network."),
    "expectation_failed": Meaning(S.EXPECTATION_FAILED, "The value of `Expect` is not supported."),
    "headers_too_large": Meaning(S.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large."),
    "throttled": Meaning(S.TOO_MANY_REQUESTS, "Too many requests; wait `Retry-After` seconds."),
    "too_many_active": Meaning(S.TOO_MANY_REQUESTS, "Too many of your jobs are still active."),
    "too_many_uploads": Meaning(S.TOO_MANY_REQUESTS, "Too many of your uploads are unfinished."),
    "too_many_schedules": Meaning(S.TOO_MANY_REQUESTS, "You have the most schedules allowed."),
    "too_many_keys": Meaning(S.TOO_MANY_REQUESTS, "You have the most API keys allowed."),
    "too_many_links": Meaning(S.TOO_MANY_REQUESTS, "The file has the most links allowed."),
    "storage_full": Meaning(S.TOO_MANY_REQUESTS, "Your stored files use up your storage quota."),
    "store_full": Meaning(S.SERVICE_UNAVAILABLE, "The file store is nearly full."),
    "internal": Meaning(S.INTERNAL_SERVER_ERROR, "An internal error. Report the `requestId`."),
    "unsupported_transfer_coding": Meaning(S.NOT_IMPLEMENTED, "Only `chunked` is supported."),
    "sign_in_closed": Meaning(S.SERVICE_UNAVAILABLE, "Signing in is temporarily unavailable."),
    "overloaded": Meaning(S.SERVICE_UNAVAILABLE, "Overloaded, or the database is unavailable."),
    "storage_unavailable": Meaning(S.SERVICE_UNAVAILABLE, "The file store is unavailable."),
}


class Problem(exceptions.APIException):
    """An error response: a status, a code of CODES, and a sentence for people.

    `title` is also sent as `error`, for older clients. The default is the phrase of the status.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: dict[str, str] | None = None,
        *,
        title: str = "",
    ) -> None:
        self.status_code = status
        super().__init__(detail, code)
        self.headers = headers or {}
        self.title = title
