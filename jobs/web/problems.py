"""The one exception that is an answer, and every code that an answer can have.

Not in http.py: DRF loads our parser and page with it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from rest_framework import exceptions

PROBLEM = "application/problem+json"


class Meaning(NamedTuple):
    status: HTTPStatus
    sentence: str  # for whoever reads the contract; an answer's own `detail` says more


S = HTTPStatus
# Programs branch on these: a code may be added, and is never renamed or given another status.
CODES: dict[str, Meaning] = {
    "invalid": Meaning(S.BAD_REQUEST, "The request is not valid; `errors` names the fields."),
    "parse_error": Meaning(S.BAD_REQUEST, "The body is no valid JSON or form."),
    "no_file": Meaning(S.BAD_REQUEST, "The form has no file."),
    "not_authenticated": Meaning(S.UNAUTHORIZED, "Nobody is signed in."),
    "authentication_failed": Meaning(S.UNAUTHORIZED, "The credentials are wrong."),
    "bad_authorization_header": Meaning(S.UNAUTHORIZED, "Write `Authorization: Bearer <token>`."),
    "token_not_valid": Meaning(S.UNAUTHORIZED, "The token is expired, revoked or none of ours."),
    "no_active_account": Meaning(S.UNAUTHORIZED, "Name and password are of no active account."),
    "user_not_found": Meaning(S.UNAUTHORIZED, "The token's account is gone."),
    "user_inactive": Meaning(S.UNAUTHORIZED, "The token's account is switched off."),
    "password_changed": Meaning(S.UNAUTHORIZED, "The password is another since the token."),
    "untrusted_gateway": Meaning(S.UNAUTHORIZED, "The gateway's header came from elsewhere."),
    "bad_username": Meaning(S.UNAUTHORIZED, "The gateway's header names nobody."),
    "permission_denied": Meaning(S.FORBIDDEN, "This is somebody else's, or for staff."),
    "csrf": Meaning(S.FORBIDDEN, "A session's request came without its form token."),
    "not_found": Meaning(S.NOT_FOUND, "There is nothing at this address."),
    "method_not_allowed": Meaning(S.METHOD_NOT_ALLOWED, "`Allow` says which methods there are."),
    "not_acceptable": Meaning(S.NOT_ACCEPTABLE, "Answers are JSON, and `Accept` wants none."),
    "slow_headers": Meaning(S.REQUEST_TIMEOUT, "The headers did not come in time."),
    "slow_body": Meaning(S.REQUEST_TIMEOUT, "The body did not come in time."),
    "conflict": Meaning(S.CONFLICT, "The job's status does not allow this."),
    "still_open": Meaning(S.CONFLICT, "An earlier request of yours is still being recorded."),
    "not_ready": Meaning(S.CONFLICT, "The job is still active: poll on."),
    "job_failed": Meaning(S.CONFLICT, "The job failed; `detail` is its `error`."),
    "cancelled": Meaning(S.GONE, "The job was cancelled, so there is no file."),
    "expired": Meaning(S.GONE, "The file's time is over; a retry makes it anew."),
    "artifact_gone": Meaning(S.GONE, "The file is no longer in the store."),
    "too_large": Meaning(S.REQUEST_ENTITY_TOO_LARGE, "The body has too many bytes."),
    "address_too_long": Meaning(S.REQUEST_URI_TOO_LONG, "The address has too many bytes."),
    "unsupported_media_type": Meaning(S.UNSUPPORTED_MEDIA_TYPE, "Send `application/json`."),
    "type_not_allowed": Meaning(
        S.UNPROCESSABLE_ENTITY, "What is in the file is of a type that is not taken."
    ),
    "idempotency_key_reused": Meaning(
        S.UNPROCESSABLE_ENTITY, "The `Idempotency-Key` came with another request before."
    ),
    "blocked_address": Meaning(S.UNPROCESSABLE_ENTITY, "The link leads into a private network."),
    "expectation_failed": Meaning(S.EXPECTATION_FAILED, "`Expect` asks for what is not done."),
    "headers_too_large": Meaning(
        S.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers have too many bytes."
    ),
    "throttled": Meaning(S.TOO_MANY_REQUESTS, "Too many requests; wait `Retry-After` seconds."),
    "too_many_active": Meaning(S.TOO_MANY_REQUESTS, "Too many of your jobs are still active."),
    "too_many_uploads": Meaning(S.TOO_MANY_REQUESTS, "Too many of your uploads are unfinished."),
    "storage_full": Meaning(S.TOO_MANY_REQUESTS, "Your stored files take too much room."),
    "store_full": Meaning(S.SERVICE_UNAVAILABLE, "The file store is nearly full."),
    "internal": Meaning(S.INTERNAL_SERVER_ERROR, "A bug; tell us the `requestId`."),
    "unsupported_transfer_coding": Meaning(S.NOT_IMPLEMENTED, "Only `chunked` is understood."),
    "sign_in_closed": Meaning(S.SERVICE_UNAVAILABLE, "Nobody can sign in for the moment."),
    "overloaded": Meaning(S.SERVICE_UNAVAILABLE, "Too much work, or the database is away."),
    "storage_unavailable": Meaning(S.SERVICE_UNAVAILABLE, "The file store is away."),
}


class Problem(exceptions.APIException):
    """An answer that is an error: a status, a code of CODES, a sentence for people.

    `title` is what a client that only looks at `error` is told; else it is the status in words.
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
